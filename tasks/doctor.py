"""What works on this machine, what is missing, and the command that mends it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from . import doctor_extras, doctor_machine, doctor_model, doctor_screen
from .finding import Finding, Group

PROBE_LIMIT_S = 20.0  # after which one probe counts as hanging; a healthy machine needs seconds for all of them

REINSTALL = f"{sys.executable} -m pip install --force-reinstall moonhand"


@dataclass(frozen=True)
class Probe:
    """One look at the machine. `group` and `name` stand in for a finding where the look does not end."""

    group: Group
    name: str
    look: Callable[[], Finding]
    needed: bool = False


def examine(environ: Mapping[str, str], *, model: str = "nano") -> tuple[Finding, ...]:
    """Look at everything the commands need; `environ` is the process's environment.

    Screens and browsers are tried: one is started, looked at and closed. On this machine's own display the pointer is
    moved by one px and back, and nothing is pressed. A probe that hangs is left behind and reported.
    """
    return tuple(map(look, _probes(environ, model)))


def works(findings: tuple[Finding, ...]) -> bool:
    """Whether everything that every run needs is there."""
    return all(finding.ok for finding in findings if finding.needed)


def findings_to_json(findings: tuple[Finding, ...]) -> dict[str, object]:
    """`{"ok": ..., "findings": [{"group", "name", "ok", "needed", "detail", "mend", "took_s"}, ...]}`"""
    return {"ok": works(findings), "findings": [asdict(finding) for finding in findings]}


def _probes(environ: Mapping[str, str], model: str) -> Iterator[Probe]:
    machine, screen, weights = doctor_machine, doctor_screen, doctor_model
    yield Probe("machine", "python", machine.check_python, needed=True)
    yield Probe("machine", "system", machine.check_system)
    yield Probe("machine", "disk", machine.check_disk)
    yield Probe("machine", "secrets", lambda: machine.check_keyring(environ))
    yield Probe("page", "chromium", lambda: screen.check_chromium(environ), needed=True)
    yield Probe("page", "kiosk", lambda: screen.check_kiosk(environ))
    yield Probe("page", "fonts", machine.check_fonts)
    yield Probe("desktop", "display", lambda: screen.check_display(environ))
    if environ.get("DISPLAY"):
        yield Probe("desktop", "capture", lambda: screen.check_capture(environ["DISPLAY"]))
        yield Probe("desktop", "input", lambda: screen.check_input(environ["DISPLAY"]))
    yield Probe("desktop", "virtual display", screen.check_virtual_display)
    yield Probe("desktop", "clipboard", screen.check_clipboard)
    yield Probe("desktop", "python-xlib", screen.check_xlib)
    yield Probe("model", "torch", weights.check_torch, needed=True)
    yield Probe("model", "gpu", weights.check_gpu)
    yield Probe("model", "bf16", weights.check_bf16)
    yield Probe("model", "decoding", weights.check_decoding)
    yield Probe("model", f"model {model}", lambda: weights.check_model(model), needed=True)
    for held in weights.HELD:
        yield Probe("model", f"16B in {held}", lambda held=held: weights.check_memory(held))
    for extra in doctor_extras.EXTRAS:
        yield Probe("extra", extra, lambda extra=extra: doctor_extras.check_extra(extra))


def look(probe: Probe) -> Finding:
    """Its finding, or one that says that it hung: in a thread, because an X server that hangs answers no time-out."""
    found: list[Finding] = []

    def work() -> None:
        try:
            found.append(probe.look())
        except Exception as error:  # whatever is broken on a machine, the doctor tells of the rest of it
            detail = f"{type(error).__name__}: {error}"
            found.append(Finding(probe.group, probe.name, False, probe.needed, detail, REINSTALL))

    start_s = time.perf_counter()
    thread = threading.Thread(target=work, name=f"doctor: {probe.name}", daemon=True)
    thread.start()
    thread.join(PROBE_LIMIT_S)
    took_s = round(time.perf_counter() - start_s, 3)
    if not found:
        detail = f"did not answer in {PROBE_LIMIT_S:g} s"
        return Finding(probe.group, probe.name, False, probe.needed, detail, "moonhand doctor  # again", took_s)
    return replace(found[0], took_s=took_s)
