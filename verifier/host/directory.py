"""The trust directory: root.json, policy.json and state.json of this host (TRUST-FILES 2).

Looking takes no lock and writes nothing.  Whatever changes is changed under the lock, each file as
a whole, in an order in which every moment is one that the next run can work with.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence

from verifier.core import limits
from verifier.core.errors import KitError, RootInvalid, UsageError
from verifier.core.manifest import HEX256, LINE
from verifier.core.names import printable
from verifier.core.rootchain import Reached, follow
from verifier.core.trust import Root, parse_root
from verifier.host import files
from verifier.host.errors import (
    StateMissing,
    TrustBusy,
    TrustExists,
    TrustMissing,
    TrustUnwritable,
)
from verifier.host.fingerprint import check_fingerprint
from verifier.host.policy import MAX_POLICY, Chosen, choose
from verifier.host.state import (
    EMPTY,
    EVERY_LINE,
    MAX_REASON,
    MAX_STATE,
    State,
    encode_state,
    parse_state,
    with_all_reset,
    with_reset,
    with_reset_lines,
    with_root,
)
from verifier.typed import record

ROOT, POLICY, NEXT, STATE = "root.json", "policy.json", "policy.next.json", "state.json"
SIGSTORE = "sigstore"
MAX_TRUSTED_ROOT = 4 << 20  # bytes
_TRIES = 8  # a change of all files takes milliseconds; who meets eight is told
_PUBLIC, _PRIVATE = 0o644, 0o600


@record(frozen=True)
class Trusted:
    """What a host believes and remembers, read at one moment.

    Attributes:
        root_sha256: Of the bytes of root.json, to be read aloud.
        policy: The bytes of policy.json; None if there is none.
        coming: The bytes of policy.next.json, which a change that was cut short left behind.
        memory: What is remembered; or why that is not known.
    """

    root: Root
    root_sha256: str
    policy: bytes | None
    coming: bytes | None
    memory: State | KitError

    def choose(self, root: Root) -> Chosen:
        """Return the policy that goes with a root: the pinned one, or one reached from it.

        Raises:
            KitError: There is none that goes with it, or it is not a policy.
        """
        return choose(root, self.policy, self.coming)


class TrustDirectory:
    """The trust directory of this host."""

    def __init__(self, path: str) -> None:
        """Name the directory; nothing is looked at yet.

        Raises:
            UsageError: The name is empty: a variable that is not set must not mean "here".
        """
        if not path:
            raise UsageError("--trust wants a directory, and got an empty name")
        self.path = os.path.abspath(path)

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)

    # --- looking -------------------------------------------------------------------------------

    def load(self) -> Trusted:
        """Return what the directory holds.

        Raises:
            TrustMissing: There is no directory, or no root in it.
            TrustUnsafe: Somebody else may change it.
            TrustBusy: It changes faster than it can be read.
            RootInvalid: root.json is not a root.
        """
        files.check_directory(self.path)
        before = self._read()
        for _ in range(_TRIES):
            now = self._read()
            if now == before:
                return self._trusted(*now)
            before = now
        raise TrustBusy("changes while it is read", where=repr(self.path))

    def _read(self) -> tuple[bytes | None, bytes | None, bytes | None, bytes | str | None]:
        sizes = ((ROOT, limits.MAX_ROOT), (POLICY, MAX_POLICY), (NEXT, MAX_POLICY))
        try:
            root, policy, coming = (files.read(self._file(name), size) for name, size in sizes)
        except OSError as error:
            raise TrustMissing(error.strerror or str(error), where=repr(self.path)) from None
        try:
            return root, policy, coming, files.read(self._file(STATE), MAX_STATE)
        except OSError as error:
            return root, policy, coming, error.strerror or str(error)

    def _trusted(
        self,
        root: bytes | None,
        policy: bytes | None,
        coming: bytes | None,
        state: bytes | str | None,
    ) -> Trusted:
        if root is None:
            raise TrustMissing("holds no root.json", where=repr(self.path))
        memory: State | KitError
        if state is None or isinstance(state, str):
            memory = StateMissing(state or "is not there", where=repr(self._file(STATE)))
        else:
            try:
                memory = parse_state(state)
            except KitError as error:
                memory = error
        return Trusted(parse_root(root), hashlib.sha256(root).hexdigest(), policy, coming, memory)

    def trusted_roots(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return trusted roots of sigstore by the SHA-256 that names them; those that are there.

        Raises:
            TrustUnsafe: Somebody else may change one.
        """
        found = {}
        for name in names:
            try:
                data = files.read(self._file(f"{SIGSTORE}/{name}.json"), MAX_TRUSTED_ROOT)
            except (TrustMissing, OSError):
                continue
            if data is not None:
                found[name] = data
        return found

    def known_trusted_roots(self) -> list[str]:
        """Return the SHA-256 of each trusted root of sigstore that is here, sorted."""
        try:
            names = os.listdir(self._file(SIGSTORE))
        except OSError:
            return []
        return sorted(n[:-5] for n in names if n.endswith(".json") and HEX256.fullmatch(n[:-5]))

    # --- changing ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only run that changes the directory.

        Raises:
            TrustMissing: It is not there.
            TrustUnsafe: Somebody else may change it.
            TrustBusy: There is no lock to be had.
            TrustUnwritable: The host refuses.
        """
        files.check_directory(self.path)
        with self._writing(), files.locked(self.path):
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrustUnwritable(error.strerror or str(error), where=repr(self.path)) from None

    def make(
        self, root: bytes, fingerprint: str, policy: bytes | None, *, shared: bool = False
    ) -> Trusted:
        """Pin a root; root.json is written last, so that a directory with it is complete.

        Args:
            root: The bytes of root.json.
            fingerprint: Its SHA-256 from another channel, in any grouping and case.
            policy: The bytes of the policy; None for none.
            shared: Whether others may write the directory in which it is made.

        Raises:
            UsageError: The fingerprint is not one.
            FingerprintMismatch: It is that of another file.
            TrustExists: Something is pinned already.
            KitError: The root or the policy is at fault, or the host refuses.
        """
        if len(root) > limits.MAX_ROOT:
            raise RootInvalid(f"a root is at most {limits.MAX_ROOT} bytes", where="root.json")
        check_fingerprint(root, fingerprint)
        choose(parse_root(root), policy, None)
        with self._writing():
            files.make_directory(self.path, shared=shared)
        with self.locked():
            there = self._read()
            if there[0] is not None or (there[1] is not None and policy is None):
                name = POLICY if there[0] is None else ROOT
                raise TrustExists("is there already", where=repr(self._file(name)))
            if policy is not None:
                files.replace(self._file(POLICY), policy, _PUBLIC)
            if there[3] is None:  # a memory that is there is never given up
                state = with_root(EMPTY, parse_root(root).version)
                files.replace(self._file(STATE), encode_state(state), _PRIVATE)
            files.replace(self._file(ROOT), root, _PUBLIC)
            return self.load()

    def update(self, chain: Sequence[Root], policy: bytes | None, clock: int) -> Reached:
        """Take the newest root of a chain, and the policy that goes with it; accept no kit.

        Raises:
            KitError: The chain or the policy is at fault, and nothing was written; or the host
                refuses.
        """
        with self.locked():
            trusted = self.load()
            reached = follow(trusted.root, chain)
            if policy is None:
                trusted.choose(reached.root)
            else:
                choose(reached.root, policy, None)
                files.replace(self._file(NEXT), policy, _PUBLIC)
            state = self.advance(trusted, reached, clock, given=policy is not None)
            if state is not None and with_root(state, reached.root.version) != state:
                state = with_root(state, reached.root.version)
                files.replace(self._file(STATE), encode_state(state), _PRIVATE)
        return reached

    def add_trusted_roots(self, given: Sequence[bytes]) -> list[str]:
        """Add trusted roots of sigstore, each under its SHA-256; none is ever overwritten.

        Returns:
            The SHA-256 of each.

        Raises:
            KitError: One of them is none, or the host refuses.
        """
        from verifier.evidence.sigstore.roots import parse_trusted_root  # here: when asked for

        names = [parse_trusted_root(data).sha256 for data in given]
        with self.locked():
            place = self._file(SIGSTORE)
            files.make_directory(place)
            files.check_directory(place)
            for name, data in zip(names, given):
                with contextlib.suppress(FileExistsError):
                    files.create(os.path.join(place, f"{name}.json"), data, _PUBLIC)
        return names

    def advance(
        self, trusted: Trusted, reached: Reached, clock: int, *, given: bool = False
    ) -> State | None:
        """Write a root that was reached, after what it sets back; the lock must be held.

        The policy it binds lies ready under either name.  Cut short at any moment, what is left is
        the old root, or the old root with the lines already set back, or the new root.  That this
        root was there is remembered afterwards, by whoever called: else a run that is cut short
        would leave a host that wants a root which it does not have.

        Args:
            trusted: What the directory holds.
            reached: The root that counts from now on.
            clock: The clock of this host, for the record of lines set back.
            given: Whether policy.next.json was written just now, on purpose; else it is an old one
                and counts only if the root names it.

        Returns:
            The memory as it is now; None if there is none.

        Raises:
            OSError: The host refuses.
        """
        state = None
        if isinstance(trusted.memory, State):
            state = set_back(trusted.memory, reached, clock)
            if state != trusted.memory:
                files.replace(self._file(STATE), encode_state(state), _PRIVATE)
        if reached.steps:
            files.replace(self._file(ROOT), reached.root.line, _PUBLIC)
        coming = files.read(self._file(NEXT), MAX_POLICY)
        bound = reached.root.policy_sha256
        if given or (coming is not None and bound == hashlib.sha256(coming).hexdigest()):
            files.commit(self._file(NEXT), self._file(POLICY))
        return state

    def prepare_state(self, state: State) -> str:
        """Write a new memory beside the old one; the lock must be held.

        Raises:
            OSError: The host refuses, or the disk is full.
        """
        return files.prepare(self._file(STATE), encode_state(state), _PRIVATE)

    def discard_state(self, beside: str) -> None:
        """Remove what `prepare_state` wrote."""
        files.discard(beside)

    def commit_state(self, beside: str) -> None:
        """Make the memory that `prepare_state` wrote the one that counts."""
        files.commit(beside, self._file(STATE))

    def reset(self, line: str, reason: str, clock: int, *, take: str = "") -> State:
        """Give up the memory of a line, and record that; a lost memory begins anew here.

        Args:
            line: The line; ``*`` for the whole memory.
            reason: Why, for the record.
            clock: The clock of this host, for the record.
            take: The kitId of the kit that the line begins anew with, and before which no other is
                taken; empty for any kit, an old one too.

        Raises:
            UsageError: The line or the reason is not one, or nothing is known of the line.
            KitError: The host refuses.
        """
        if line != EVERY_LINE and not LINE.fullmatch(line):
            raise UsageError(f"{line!r} is not the name of a line")
        if line == EVERY_LINE and take:
            raise UsageError("one kit is not of every line: give --take any")
        if not _is_reason(reason):
            raise UsageError(f"--reason wants 1 to {MAX_REASON} printable characters")
        with self.locked():
            trusted = self.load()
            memory, version = trusted.memory, trusted.root.version
            if line == EVERY_LINE:
                state = with_all_reset("operator", reason, clock, version)
            elif isinstance(memory, KitError):
                why = f"memory lost: {memory.code}"
                state = with_all_reset("operator", why, clock, version)
            elif line not in {**memory.lines, **memory.awaited}:
                known = ", ".join(sorted({**memory.lines, **memory.awaited})) or "none"
                raise UsageError(f"nothing is remembered of line {line!r}; known: {known}")
            else:
                state = memory
            if line != EVERY_LINE:
                state = with_reset(state, line, "operator", reason, clock, take=take)
            files.replace(self._file(STATE), encode_state(state), _PRIVATE)
        return state


def set_back(state: State, reached: Reached, clock: int) -> State:
    """Return the memory without what was accepted before the root in force set its line back."""
    return with_reset_lines(state, reached.root.reset_lines, clock)


def _is_reason(text: str) -> bool:
    return 1 <= len(text) <= MAX_REASON and printable(text)
