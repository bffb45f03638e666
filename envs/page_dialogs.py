"""What a page asks in windows of its own, which no screenshot shows: alert, confirm, prompt, "leave this page?"."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urldefrag
from weakref import WeakSet

from playwright.sync_api import Dialog, Page
from playwright.sync_api import Error as PlaywrightError

from .actions import AnswerDialog
from .dialog_picture import Answer, DialogInput, DialogPicture, DialogWords
from .env import Done, Frame
from .errors import DialogOpen, EnvError
from .page_frames import frames_with_documents
from .secrets import Secrets, names_secrets

DialogPolicy = Literal["dismiss", "accept", "ask"]
LOOK_EVERY_MS = 20
BEING_LEFT = "Not attached to an active page"  # how Chromium refuses an answer
MAX_IN_A_ROW = 10  # dialogs that are asked about, one after the other, before a page is taken to never stop

SILENCE_JS = "void Object.assign(window, {alert() {}, confirm: () => false, prompt: () => null})"

T = TypeVar("T")


class Dialogs:
    """Answers dialogs at once by a policy, or with "ask" leaves each open until `answer`, or `touch`, ends it.

    An address that goes on asking, MAX_IN_A_ROW times with no other action in between, is answered at once ever after.
    `meet` is for the browser's thread. While it waits, the page is blocked and so is whatever that thread was doing;
    all else here is for the other threads. `replace` puts another tab in the place of one that is blocked for good.
    """

    def __init__(
        self,
        policy: DialogPolicy,
        note: Callable[[str], None],
        secrets: Secrets,
        replace: Callable[[Page], None],
    ) -> None:
        self.policy = policy
        self._note, self._secrets, self._replace = note, secrets, replace
        self._asking: _Asking | None = None
        self._num_in_a_row = 0
        self._endless_urls: set[str] = set()
        self._silencing: set[Page] = set()
        self._is_stopped = False
        self._base: Frame | None = None  # what lies beneath the frames with a dialog
        self._drawn: WeakSet[Frame] = WeakSet()  # those frames
        self.opened: Future[None] = Future()  # done once a dialog waits for its answer

    @property
    def words(self) -> str | None:
        """The dialog that waits for an answer, in words; None where none does."""
        asking = self._asking
        return None if asking is None else asking.words

    def begin(self) -> None:
        """An action gets through to the page: it does not ask all the time."""
        self._num_in_a_row = 0

    def stop(self) -> None:
        """Answer the open dialog, and from now on all others at once."""
        self._is_stopped = True
        if self._asking is not None:
            self.answer(AnswerDialog(accept=False))

    def answer(self, action: AnswerDialog) -> None:
        """Let the browser's thread answer the open dialog and go on with what that blocked."""
        assert self._asking is not None
        self._end(self._asking, Answer(action.accept, action.text or None))

    def draw(self, last: Frame, limit_s: float) -> Frame:
        """`last`, which shows no dialog or an earlier one, with the open dialog on it.

        As it is where none is open, or the browser ends meanwhile.
        """
        asking = self._asking
        if asking is None:
            return last
        base = self._base if self._base is not None and last in self._drawn else last
        try:
            frame = asking.run(lambda: asking.picture_on(base).draw(), limit_s)
        except (PlaywrightError, DialogGone):
            return last
        self._base = base
        self._drawn.add(frame)
        return frame

    @property
    def is_drawn(self) -> bool:
        """Whether a dialog is open that somebody has looked at."""
        asking = self._asking
        return asking is not None and asking.picture is not None

    def touch(self, action: DialogInput, limit_s: float) -> tuple[Done, bool]:
        """Do it to the drawn dialog: what became of it, and whether that answered the dialog.

        DialogOpen where it is not drawn. UnsupportedAction comes before anything is touched.
        """
        asking = self._asking
        if asking is None or asking.picture is None:
            raise DialogOpen("the dialog that is open was not looked at: observe, then touch it")
        picture = asking.picture

        def do() -> tuple[Done, bool]:
            done, answer = picture.touch(action)
            if answer is not None:
                self._end(asking, answer)
            return done, answer is not None

        return asking.run(do, limit_s)

    def gone(self) -> None:
        """The open dialog was answered elsewhere, as on a display; for the browser's thread."""
        if self._asking is not None:
            self._end(self._asking, None)

    def meet(self, dialog: Dialog) -> None:
        page = dialog.page
        if self.policy == "ask" and page is not None and not self._is_endless(page):
            with suppress(PlaywrightError):  # the page may go while it asks
                self._ask(dialog, page)
            return
        accepts = dialog.type in ("alert", "beforeunload") or self.policy == "accept"
        with suppress(PlaywrightError):
            if not self._answer(dialog, Answer(accepts), page):
                return
        unasked = f" without asking, as {MAX_IN_A_ROW} had come before it" if self.policy == "ask" else ""
        self._note(_said(accepts, dialog) + unasked)
        if unasked and page is not None and not self._is_stopped:
            self._silence(page)

    def _silence(self, page: Page) -> None:
        """Keep the document from opening more, as browsers offer to: so many would hold up what leads away from it."""
        if page in self._silencing:  # it opened one more meanwhile
            return
        self._silencing.add(page)
        for frame in frames_with_documents(page):
            with suppress(PlaywrightError):
                frame.evaluate(SILENCE_JS)
        self._silencing.remove(page)

    def _is_endless(self, page: Page) -> bool:
        url, _ = urldefrag(page.url)
        self._num_in_a_row += 1
        if self._num_in_a_row > MAX_IN_A_ROW:
            self._endless_urls.add(url)
        return self._is_stopped or url in self._endless_urls

    def _ask(self, dialog: Dialog, page: Page) -> None:
        while self._asking is not None:  # another tab asks already
            page.wait_for_timeout(LOOK_EVERY_MS)
        asking = _Asking(dialog, page, self._secrets)
        self._asking = asking
        self.opened.set_result(None)
        try:
            answer = asking.wait()
        finally:
            if self._asking is asking:  # it went with its page
                self._asking, self.opened = None, Future()
        if answer is not None:
            # A name that the page itself suggested stands for nothing: it would be asking for the secret.
            text = answer.text
            if text is not None and not names_secrets(dialog.default_value):
                text = self._secrets.fill(text)
            if self._answer(dialog, answer._replace(text=text), page):
                self._note(_said(answer.accept, dialog))

    def _answer(self, dialog: Dialog, answer: Answer, page: Page | None) -> bool:
        """False where it takes no answer any more."""
        try:
            if not answer.accept:
                dialog.dismiss()
            elif dialog.type == "prompt":
                dialog.accept(dialog.default_value if answer.text is None else answer.text)
            else:
                dialog.accept()
        except PlaywrightError as error:
            if page is None or BEING_LEFT not in error.message:
                raise
            # A dialog that opens just as the next document comes is taken for one of that, and cannot be answered. It
            # blocks the page's process, which that document waits for: nothing but the end of the tab ends it.
            self._replace(page)
            return False
        return True

    def _end(self, asking: _Asking, answer: Answer | None) -> None:
        self.opened = Future()  # for the next one, which may open before this thread looks again
        self._asking = None
        asking.answers.put(answer)


class DialogGone(EnvError):
    """The dialog went away before it could be touched."""


class _Asking:
    """One dialog that waits for its answer, and what the browser's thread is to do meanwhile."""

    def __init__(self, dialog: Dialog, page: Page, secrets: Secrets) -> None:
        suggested = f", suggesting {dialog.default_value!r}" if dialog.default_value else ""
        self.words = secrets.mask(f'a dialog "{dialog.message}" ({dialog.type}{suggested})')
        self._mask = secrets.mask
        self.answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self.picture: DialogPicture | None = None
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._is_over = False
        self._dialog, self._page = dialog, page

    def run(self, work: Callable[[], T], limit_s: float) -> T:
        """Let the browser's thread do it; DialogGone where the dialog ended first."""
        future: Future[T] = Future()
        self._work.put((work, future))
        if self._is_over:
            self._give_up()
        try:
            return future.result(limit_s)
        except TimeoutError as error:
            raise EnvError(f"the browser did not draw {self.words} within {limit_s:g} s: answer it all the same") from (
                error
            )

    def picture_on(self, base: Frame) -> DialogPicture:
        """The picture of it, made where there is none; for the browser's thread."""
        if self.picture is None:
            browser = self._page.context.browser
            assert browser is not None
            kind = cast(Any, self._dialog.type)
            said = map(self._mask, (self._dialog.message, self._dialog.default_value, self._page.url))
            words = DialogWords(kind, *said)
            self.picture = DialogPicture(browser, words, base)
        return self.picture

    def wait(self) -> Answer | None:
        """The answer, None where it was given elsewhere; PlaywrightError once the page is gone."""
        try:
            while self.answers.empty():
                if self._work.empty():
                    self._page.wait_for_timeout(LOOK_EVERY_MS)
                else:
                    _settle(*self._work.get())
        finally:
            self._is_over = True
            self._give_up()
            if self.picture is not None:
                with suppress(PlaywrightError):
                    self.picture.close()
        return self.answers.get()

    def _give_up(self) -> None:
        with suppress(queue.Empty):
            while True:
                _, future = self._work.get_nowait()
                future.set_exception(DialogGone(f"{self.words} went away: look at the page again"))


def _settle(work: Callable[[], Any], future: Future[Any]) -> None:
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)


def _said(accepts: bool, dialog: Dialog) -> str:
    return f"{'accepted' if accepts else 'dismissed'} {dialog.type} {dialog.message!r}"
