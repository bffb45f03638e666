"""The actors of a Ray cluster: one a GPU, or one a CPU slot, each with a model of its own; the driver alone writes.

An actor answers a chunk as a stream, so a row is here as soon as it is answered, and a lost actor costs one sample.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, cast

from ....envs import EnvError, MissingTool
from ..asker import AskerSource
from ..sample import GroundingSample
from .pool import CannotOpen, Died, Event, Ready, Told, event_of

OBJECT_STORE_BYTES = 80 << 20  # of a cluster started here: rows are small, and pictures are read by the workers
NO_RAY = 'Ray is not installed: pip install "moonhand[ray]", or --executor processes'
FOLDER = "mh-ray-"  # and the driver's process, in the system's folder for temporary files
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
RECONNECT = "RAY_gcs_rpc_server_reconnect_timeout_s"  # its agents outlive a driver that was killed by so much: 60 s
TOKEN = "RAY_AUTH_TOKEN"  # of a cluster started here: without one Ray writes its own to the user's home


class NoCluster(EnvError):
    """The Ray cluster does not answer, or has no room for a worker."""


class RayActor:
    """What lives in the cluster: it owns a model."""

    def __init__(self, source: AskerSource, slot: int) -> None:
        self._source = source
        self._slot = slot

    def open(self) -> Event:
        try:
            self._asker = self._source.open(self._slot)
        except Exception as error:
            return CannotOpen(error)
        return Ready(dict(self._asker.facts))

    def answer(self, samples: Sequence[GroundingSample]) -> Generator[Event]:
        for sample in samples:
            started_s = time.monotonic()
            try:
                asked = self._asker.ask(sample)
            except Exception as error:  # whatever it is: the driver decides what becomes of the sample
                yield event_of(error)
                continue
            yield Told(asked.prediction, asked.model_s, time.monotonic() - started_s)


class RayWorker:
    """The driver's side of an actor."""

    def __init__(self, ray: Any, actor: Any, slot: int) -> None:
        self._ray = ray
        self._actor = actor
        self._slot = slot
        self.awaited: Any = actor.open.remote()  # a reference, or a stream of them; None: nothing was asked

    @property
    def name(self) -> str:
        return f"actor-{self._slot}"

    def give(self, samples: Sequence[GroundingSample]) -> None:
        self.awaited = self._actor.answer.options(num_returns="streaming").remote(tuple(samples))

    def kill(self) -> None:
        self.awaited = None
        with suppress(Exception):  # it is dead already, or the cluster is gone
            self._ray.kill(self._actor, no_restart=True)

    def listen(self) -> Event | None:
        """What it says next, of something awaited that is there; None at the end of a chunk."""
        try:
            if not isinstance(self.awaited, self._ray.ObjectRef):
                return cast(Event, self._ray.get(next(self.awaited)))
            event, self.awaited = cast(Event, self._ray.get(self.awaited)), None
            return event
        except StopIteration:
            self.awaited = None
            return None
        except self._ray.exceptions.RayActorError as error:
            self.awaited = None
            return Died(_why_dead(str(error)))
        except self._ray.exceptions.RayError as error:
            self.awaited = None
            return Died(f"the worker was lost: {str(error).splitlines()[0]}")


class RayForce:
    """Actors of a cluster that is there, or of one that is started here and taken down again.

    `size` None: one a GPU of the cluster where the model is to work on GPUs, else one a CPU.
    """

    def __init__(self, source: AskerSource, size: int | None, *, address: str | None, on_gpu: bool) -> None:
        """MissingTool without Ray; NoCluster where no cluster answers at the address, or it has no GPU though asked."""
        self._source = source
        self._on_gpu = on_gpu
        self._workers: list[RayWorker] = []
        self._folder = None if address else _own_folder()
        self._ray = _connect(address, None if self._folder is None else self._folder.name, size or os.cpu_count() or 1)
        try:
            room = self._ray.cluster_resources()
            slots = int(room.get("GPU" if on_gpu else "CPU", 0))
            if not slots:
                raise NoCluster(f"the Ray cluster has no {'GPU' if on_gpu else 'CPU'}: it offers {dict(room)}")
            self.size = min(size or slots, slots)
        except BaseException:
            self.close()
            raise

    def start(self, slot: int) -> RayWorker:
        needs = {"num_gpus": 1, "num_cpus": 0} if self._on_gpu else {"num_cpus": 1}
        kind = self._ray.remote(max_restarts=0, max_task_retries=0, **needs)(RayActor)
        worker = RayWorker(self._ray, kind.remote(self._source, slot), slot)
        self._workers.append(worker)
        return worker

    def hear(self, timeout_s: float) -> list[tuple[RayWorker, Event]]:
        awaited = {worker.awaited: worker for worker in self._workers if worker.awaited is not None}
        if not awaited:
            time.sleep(timeout_s)
            return []
        enough = 1 if timeout_s else len(awaited)  # 0 s: all that is there
        ready, _ = self._ray.wait(list(awaited), num_returns=enough, timeout=timeout_s)
        heard = [(awaited[one], awaited[one].listen()) for one in ready]
        return [(worker, event) for worker, event in heard if event is not None]

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
        self._ray.shutdown()
        if self._folder is not None:
            self._folder.cleanup()


def _why_dead(told: str) -> str:
    """Of Ray's account of many lines: the error of an actor that could not be made; a death by signal has none."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return f"the worker died: {lines[-1]}" if "creation task" in told else "the worker died"


def _own_folder() -> TemporaryDirectory[str]:
    """For the files of a cluster started here. Those of drivers that were killed are removed."""
    for left in Path(gettempdir()).glob(f"{FOLDER}*"):
        pid = left.name.removeprefix(FOLDER).split("-")[0]
        if pid.isdecimal() and not _lives(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    return TemporaryDirectory(prefix=f"{FOLDER}{os.getpid()}-", ignore_cleanup_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _connect(address: str | None, folder: str | None, num_cpus: int) -> Any:
    """Ray, connected. It tells nobody that it is used, and leaves the signals to us."""
    os.environ.update(QUIET)
    if not address:
        os.environ.setdefault(RECONNECT, "5")
        if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":  # Ray's default, said so that it need not say it
            os.environ.setdefault(TOKEN, secrets.token_hex(32))
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise MissingTool(NO_RAY) from error
    heard_by = signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            ray.init(
                address="local",
                num_cpus=num_cpus,
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=False,
                _temp_dir=folder,
                **quiet,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"at {address}" if address else "on this machine"
        raise NoCluster(f"no Ray cluster {where}: {str(error).splitlines()[0]}") from error
    finally:
        signal.signal(signal.SIGTERM, heard_by)
    return ray
