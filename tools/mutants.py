"""Take the guards away one by one, and see that a test notices each time.

    python tools/mutants.py            every guard
    python tools/mutants.py redirects  those whose name holds a word

Works on a copy; needs the `dev` extra. Exits 1 if a guard can be taken away unnoticed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Mutant:
    """A guard: its file, its text, what stands there without it, and the tests that hold it."""

    name: str
    file: str
    text: str
    without: str
    tests: str


MUTANTS = (
    Mutant(
        "sdk-retries",
        "service/client.py",
        "max_retries=0",
        "max_retries=2",
        "tests/faults/test_a_billing.py",
    ),
    Mutant(
        "redirects",
        "service/client.py",
        "follow_redirects=False",
        "follow_redirects=True",
        "tests/faults/test_b_addresses.py",
    ),
    Mutant(
        "foreign-variables",
        "service/client.py",
        'startswith("OPENAI_")',
        'startswith("NOTHING_")',
        "tests/test_process.py -k another_service",
    ),
    Mutant(
        "disguised-signals",
        "terminal/signals.py",
        "if _would_disguise(frame):",
        "if False:",
        "tests/faults/test_g_signals.py -k class_is_made",
    ),
    Mutant(
        "late-files",
        "jobs/buyer.py",
        "if progress.arrival is None:",
        "if progress.arrival is None or not progress.state.receiving:",
        "tests/jobs/test_many.py -k given_up",
    ),
    Mutant(
        "billed-retries",
        "jobs/buyer.py",
        "again = connection.retry_billed and",
        "again = True and",
        "tests/faults/test_a_billing.py",
    ),
    Mutant(
        "asleep",
        "jobs/run.py",
        "progress.deadline += asleep",
        "pass",
        "tests/faults/test_g_signals.py -k asleep",
    ),
    Mutant(
        "results-before-limits",
        "jobs/run.py",
        "for event in self._events:  # what is here comes before any limit",
        "for event in ():",
        "tests/jobs/test_run.py",
    ),
    Mutant(
        "budget-of-attempts",
        "jobs/buyer.py",
        "self._begin(job, number)",
        "self._begin(job, number) if number == 1 else ReplySink(job, self.store)",
        "tests/jobs/test_budget.py",
    ),
    Mutant(
        "longest-wait",
        "jobs/buyer.py",
        "MAX_WAIT_SECONDS = 60.0",
        "MAX_WAIT_SECONDS = 6e9",
        "tests/faults/test_a_billing.py",
    ),
    Mutant(
        "credit-marker",
        "service/replies.py",
        '"insufficient_credit"',
        '"no_such_marker"',
        "tests/faults/test_a_billing.py",
    ),
    Mutant(
        "plain-http",
        "connection.py",
        'parts.scheme == "http" and not is_loopback(host)',
        "False",
        "tests/test_addresses.py",
    ),
    Mutant(
        "stored-key-elsewhere",
        "credentials/lookup.py",
        'f"{parts.scheme}://{parts.netloc}".lower()',
        '"everywhere"',
        "tests/credentials/test_lookup.py",
    ),
    Mutant(
        "nscales-key-elsewhere",
        "credentials/lookup.py",
        "() if own is not None else KEY_VARIABLES",
        "KEY_VARIABLES",
        "tests/credentials/test_lookup.py",
    ),
    Mutant(
        "profiles-key-elsewhere",
        "credentials/lookup.py",
        "origin_of(own) != origin_of(base_url)",
        "False",
        "tests/credentials/test_lookup.py",
    ),
    Mutant(
        "editors-key",
        "config/other_programs.py",
        "names = {*KEY_VARIABLES, *_names_in_profiles(terminal)}",
        "names = {*_names_in_profiles(terminal)}",
        "tests/commands/test_config.py -k editor",
    ),
    Mutant(
        "keys-of-profiles",
        "config/other_programs.py",
        "names = {*KEY_VARIABLES, *_names_in_profiles(terminal)}",
        "names = {*KEY_VARIABLES}",
        "tests/preview/test_viewer.py -k profile",
    ),
    Mutant(
        "keys-of-a-damaged-file",
        "config/other_programs.py",
        'read_text(config_path(terminal.env)) or ""',
        '""',
        "tests/commands/test_config.py -k editor",
    ),
    Mutant(
        "copy-of-a-profiles-key",
        "config/other_programs.py",
        "and not redactor.found_in(value)",
        "",
        "tests/preview/test_viewer.py -k profile",
    ),
    Mutant(
        "crash-logs-key",
        "output/crash_log.py",
        "clean(redact(line))",
        "clean(line)",
        "tests/test_main.py -k crash_log",
    ),
    Mutant(
        "crash-logs-values",
        "output/crash_log.py",
        "yield word[:2]",
        "yield word",
        "tests/test_main.py -k crash_log",
    ),
    Mutant(
        "bill-of-a-bug",
        "main.py",
        "Billed.MAYBE if environment.invocation.buying else Billed.NO",
        "Billed.NO",
        "tests/test_main.py -k bug",
    ),
    Mutant(
        "private-keys",
        "storage/disk.py",
        "OWNER_ONLY = 0o600",
        "OWNER_ONLY = 0o644",
        "tests/commands/test_auth.py",
    ),
    Mutant(
        "said-to-be-private",
        "credentials/store.py",
        "_KEYRING in entry or is_private(self.path)",
        "True",
        "tests/faults/test_h_private_files.py -k cannot_be_private",
    ),
    Mutant(
        "strangers-links",
        "storage/private_files.py",
        "if not _is_trusted(here.lstat()):",
        "if False:",
        "tests/faults/test_h_private_files.py -k link",
    ),
    Mutant(
        "one-writer-at-a-time",
        "storage/lock.py",
        "while not take(descriptor, shared=shared):",
        "while False:",
        "tests/storage/test_private_files.py",
    ),
    Mutant(
        "opened-before-it-moves",
        "storage/history_file.py",
        "with directory_locked(directory, self._patience_seconds, shared=True):",
        "if True:",
        "tests/storage/test_history.py -k until_another_has_opened",
    ),
    Mutant(
        "devices-stay",
        "storage/private_files.py",
        "if not (stat.S_ISLNK(mode) or",
        "if False and not (stat.S_ISLNK(mode) or",
        "tests/faults/test_h_private_files.py -k device",
    ),
    Mutant(
        "bounded-reading",
        "storage/disk.py",
        "if not regular and not wait_seconds:",
        "if False:",
        "tests/storage/test_disk.py",
    ),
    Mutant(
        "public-addresses",
        "service/fetch.py",
        "if not _is_public(address):",
        "if False:",
        "tests/service/test_fetch.py",
    ),
    Mutant(
        "embedded-addresses",
        "service/fetch.py",
        "address.ipv4_mapped or address.sixtofour",
        "address.ipv4_mapped",
        "tests/service/test_fetch.py",
    ),
    Mutant(
        "unicast-addresses",
        "service/fetch.py",
        "address.version == 4 or address in _GLOBAL_UNICAST",
        "True",
        "tests/service/test_fetch.py",
    ),
    Mutant(
        "tunnelled-addresses",
        "service/fetch.py",
        "not _is_isatap(parsed) or",
        "True or",
        "tests/service/test_fetch.py",
    ),
    Mutant(
        "whole-when-fetched",
        "jobs/save.py",
        "return image_format, size, flaw_of(view, image_format)",
        "return image_format, size, None if image_format else flaw_of(view, image_format)",
        "tests/service/test_fetch.py",
    ),
    Mutant(
        "see-other",
        "service/replies.py",
        "if reply.status != 303:",
        "if True:",
        "tests/service/test_replies.py",
    ),
    Mutant(
        "image-formats",
        "preview/canvas.py",
        "formats=READABLE",
        "formats=None",
        "tests/faults/test_i_postscript.py",
    ),
    Mutant(
        "convertible-formats",
        "storage/imaging.py",
        "formats=READABLE",
        "formats=None",
        "tests/faults/test_i_postscript.py",
    ),
    Mutant(
        "strict-base64",
        "service/decode.py",
        'padded.encode("ascii"), strict_mode=True',
        'padded.encode("ascii"), strict_mode=False',
        "tests/service/test_decode.py",
    ),
    Mutant(
        "strict-plain-base64",
        "service/decode.py",
        "a2b_base64(text, strict_mode=True)",
        "a2b_base64(text, strict_mode=False)",
        "tests/service/test_decode.py",
    ),
    Mutant(
        "what-a-kill-left",
        "runs/shards.py",
        "remove_quietly(part)",
        "pass",
        "tests/faults/test_k_strace.py",
    ),
    Mutant(
        "never-sent-later",
        "service/client.py",
        "if not state.may_send():",
        "if state.may_send() is None:",
        "tests/faults/test_b_tls.py",
    ),
    Mutant("fsync", "storage/files.py", "os.fsync(self._descriptor)", "pass", "tests/storage"),
    Mutant(
        "names-of-stdout",
        "commands/_making.py",
        "if environment.terminal.is_stdout(path):",
        "if False:",
        "tests/faults/test_d_stdout.py",
    ),
    Mutant(
        "names-of-the-system",
        "commands/_making.py",
        "if descriptor_named(path) is not None and path.is_file():",
        "if False:",
        "tests/faults/test_d_stdout.py",
    ),
    Mutant(
        "nothing-behind-raw-bytes",
        "output/images.py",
        "if self.raw:",
        "if False:",
        "tests/faults/test_d_stdout.py",
    ),
    Mutant(
        "pipes-that-do-not-wait",
        "terminal/streams.py",
        "except BlockingIOError:",
        "except ZeroDivisionError:",
        "tests/faults/test_d_stdout.py",
    ),
    Mutant(
        "no-replacing",
        "storage/files.py",
        "os.link(temporary, name, follow_symlinks=False)",
        "temporary.replace(name)",
        "tests/storage/test_files.py",
    ),
    Mutant(
        "exclusive-create",
        "storage/disk.py",
        "os.O_RDWR | os.O_CREAT | os.O_EXCL",
        "os.O_RDWR | os.O_CREAT",
        "tests/storage/test_files.py tests/storage/test_places.py tests/faults/test_d_strace.py",
    ),
    Mutant(
        "size-check",
        "storage/files.py",
        "os.fstat(self._descriptor).st_size != self.byte_count",
        "False",
        "tests/faults -k short",
    ),
    Mutant(
        "cleaner",
        "terminal/streams.py",
        "line = clean(self.redactor.redact(text))",
        "line = self.redactor.redact(text)",
        "tests/faults/test_f_terminal.py",
    ),
    Mutant(
        "redactor",
        "redact.py",
        "data = _without(data, (match.span() for match in found))",
        "pass",
        "tests/test_main.py tests/test_redact.py",
    ),
    Mutant(
        "redactor-case",
        "redact.py",
        "_WINDOW_BYTES + longest].lower()",
        "_WINDOW_BYTES + longest]",
        "tests/test_redact.py",
    ),
    Mutant(
        "redactor-reversed",
        "redact.py",
        "*_in_text(secret[::-1]), ",
        "",
        "tests/test_redact.py",
    ),
    Mutant(
        "redactor-hex",
        "redact.py",
        "*forms, data.hex().encode()}",
        "*forms}",
        "tests/test_redact.py",
    ),
    Mutant(
        "redactor-pieces",
        "redact.py",
        "if quad in self._quads",
        "if False",
        "tests/test_redact.py",
    ),
    Mutant(
        "viewer-key",
        "config/other_programs.py",
        "and not terminal.redactor.found_in(value)",
        "",
        "tests/faults/test_h_secrets.py -k viewer",
    ),
    Mutant(
        "firm-hold",
        "terminal/signals.py",
        "self._firmly or ",
        "",
        "tests/faults/test_g_signals.py -k presses_on",
    ),
    Mutant(
        "bill-of-an-unheeded-signal",
        "main.py",
        "if not environment.invocation.buying:",
        "if True:",
        "tests/faults/test_g_signals.py -k presses_on",
    ),
    Mutant(
        "hold-signals",
        "terminal/signals.py",
        "if self._on_hold is None:",
        "if True:",
        "tests/terminal/test_signals.py",
    ),
    Mutant(
        "kept-reply",
        "jobs/save.py",
        'self._place = keep(self._file.pieces(), ".bin", self._job, self._store)',
        "self._place = Path()",
        "tests/test_contract.py",
    ),
    Mutant(
        "no-replacing-without-links",
        "storage/files.py",
        "flag = _NO_REPLACING if linux else 4",
        "flag = 0 if linux else 0",
        "tests/storage/test_files.py",
    ),
    Mutant(
        "no-replacing-by-rename",
        "storage/files.py",
        "        if os.path.lexists(name):\n            raise",
        "        if False:\n            raise",
        "tests/storage/test_files.py",
    ),
    Mutant(
        "pipe-under-a-name",
        "storage/devices.py",
        "if not target.is_one_name:",
        "if False:",
        "tests/storage/test_places.py",
    ),
    Mutant(
        "last-whole-copy",
        "storage/files.py",
        "if part.is_whole and os.path.lexists(part.path):",
        "if False:",
        "tests/storage/test_files.py",
    ),
    Mutant(
        "bytes-read-back",
        "storage/rescue.py",
        "if copied.digest() != self._digest.digest():",
        "if False:",
        "tests/storage/test_rescue.py",
    ),
    Mutant(
        "padding-in-the-middle",
        "service/decode.py",
        "if len(data) * 4 != len(letters) * 3:",
        "if False:",
        "tests/service/test_reply_stream.py",
    ),
    Mutant(
        "order-that-has-come",
        "jobs/buyer.py",
        "progress.given_up or _is_complete(job, progress)",
        "progress.given_up",
        "tests/faults/test_d_arriving.py -k last_chunk",
    ),
    Mutant(
        "surplus-behind-the-first",
        "jobs/save.py",
        "        if self._is_surplus:\n            raise",
        "        if False:\n            raise",
        "tests/faults/test_d_pipes.py -k too_many",
    ),
    Mutant(
        "bytes-behind-the-last",
        "storage/files.py",
        "length = min(_READ_BYTES, self.byte_count - position)",
        "length = _READ_BYTES",
        "tests/faults/test_d_arriving.py -k fills_up",
    ),
    Mutant(
        "cut-image",
        "service/decode.py",
        "return None if ends(data) else",
        "return None if True else",
        "tests/service/test_decode.py",
    ),
    Mutant(
        "report-another-file",
        "output/report/unchanged.py",
        " or not all(map(is_of_report, paths))",
        "",
        "tests/commands/test_compare_again.py",
    ),
    Mutant(
        "report-of-other-pictures",
        "output/report/unchanged.py",
        ", _states(pictures)))",
        "))",
        "tests/commands/test_compare_again.py",
    ),
    Mutant(
        "audit-sees-metadata",
        "output/report/audit.py",
        "cell.image.original_sha256 or ",
        "",
        "tests/output/report/test_audit.py",
    ),
)


def main() -> int:
    """Try every guard whose name holds one of the words; return the exit code."""
    words = sys.argv[1:] or [""]
    chosen = [mutant for mutant in MUTANTS if any(word in mutant.name for word in words)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        held = pool.map(noticed, chosen)
        # The control: a test that fails anyway notices nothing.
        tests = sorted({mutant.tests for mutant in chosen})
        controls = dict(zip(tests, pool.map(passes_as_it_is, tests), strict=True))
        results = [was and controls[mutant.tests] for mutant, was in zip(chosen, held, strict=True)]
    for mutant, was_noticed in zip(chosen, results, strict=True):
        print(f"{'noticed  ' if was_noticed else 'UNNOTICED'}  {mutant.name}: {mutant.file}")
    for name in (name for name, passed in controls.items() if not passed):
        print(f"fails as it is, or has no tests: {name}")
    print(f"{sum(results)} of {len(results)} guards are held by tests")
    return 0 if all(results) else 1


def copy_of_the_tree(folder: str) -> Path:
    """Copy what git tracks into `folder`, and return where it is."""
    copy = Path(folder) / "copy"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    for name in files.stdout.splitlines():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


def passes_as_it_is(tests: str) -> bool:
    """Return whether the tests pass with every guard in place."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(copy_of_the_tree(folder), tests) == 0


def noticed(mutant: Mutant) -> bool:
    """Return whether a test fails without the guard."""
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_of_the_tree(folder)
        target = copy / "nscale_cli" / mutant.file
        source = target.read_text(encoding="utf-8")
        if source.count(mutant.text) != 1:
            print(f"{mutant.name}: the guard is not where it was; mend tools/mutants.py")
            return False
        target.write_text(source.replace(mutant.text, mutant.without), encoding="utf-8")
        return _run(copy, mutant.tests) == 1


def _run(copy: Path, tests: str) -> int:
    """Return pytest's exit code: 0 passed, 1 failed (a run that hangs, too), 5 no tests."""
    command = f"{sys.executable} -m pytest -x -q -p no:cacheprovider --no-cov {tests}"
    try:
        result = subprocess.run(
            command,
            shell=True,
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy)},
            capture_output=True,
            timeout=MAX_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return 1
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
