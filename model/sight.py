"""Pictures to features: each new one is encoded once, many in one packed pass, and known ones are looked up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from .kimi_vl import KimiVL
from .prompt import PromptPicture, kept_tokens, stack_patches
from .reuse import FeatureCache


class Sight:
    """A model's eye, with the features of the last pictures it saw."""

    def __init__(self, model: KimiVL, cache: FeatureCache | None, *, patches_per_pass: int) -> None:
        self.num_encoded = 0  # pictures, so far
        self._patches_per_pass = patches_per_pass
        self._model = model
        self._cache = cache

    def features(self, pictures: Sequence[PromptPicture]) -> tuple[list[Tensor], set[bytes]]:
        """Features [T, D] of each picture, and the digests of those that had to be encoded."""
        known: dict[bytes, Tensor] = {}
        fresh: dict[bytes, PromptPicture] = {}
        for picture in pictures:
            found_TD = None if self._cache is None else self._cache.get(picture.digest)
            if found_TD is None:
                fresh[picture.digest] = picture
            else:
                known[picture.digest] = found_TD
        for pack in self._packs(list(fresh.values())):
            for picture, features_TD in zip(pack, self._encode(pack), strict=True):
                known[picture.digest] = features_TD
                if self._cache is not None:
                    self._cache.put(picture.digest, features_TD)
        return [known[picture.digest] for picture in pictures], set(fresh)

    def knows(self, picture: PromptPicture) -> bool:
        """Whether its features are there already."""
        return self._cache is not None and picture.digest in self._cache

    def forget(self) -> None:
        """Every picture is new again."""
        if self._cache is not None:
            self._cache.clear()

    def _encode(self, pictures: Sequence[PromptPicture]) -> Sequence[Tensor]:
        weight = self._model.multi_modal_projector.linear_2.weight
        patches = [picture.patches for picture in pictures]
        pixels_PCHW = stack_patches(patches, self._model.config, device=weight.device, dtype=weight.dtype)
        kept_TM = kept_tokens(patches, weight.device)
        features_TD = self._model.encode_images(pixels_PCHW, [each.grid_hw for each in patches], kept_TM)
        self.num_encoded += len(pictures)
        return features_TD.split([picture.num_tokens for picture in pictures])

    def _packs(self, pictures: Sequence[PromptPicture]) -> Iterator[list[PromptPicture]]:
        """The pictures in order, in packs of at most `patches_per_pass` patches (or of one picture)."""
        merge_h, merge_w = self._model.config.vision.merge_kernel_size
        pack: list[PromptPicture] = []
        filled = 0
        for picture in pictures:
            num_patches = picture.num_tokens * merge_h * merge_w
            if pack and filled + num_patches > self._patches_per_pass:
                yield pack
                pack, filled = [], 0
            pack.append(picture)
            filled += num_patches
        if pack:
            yield pack
