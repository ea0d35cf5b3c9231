"""Make the pictures of docs/compare.md: a real sheet, and the page in a real browser.

Usage: python -m tools.compare_pictures   (needs Chromium, and npm ci --prefix tests/browser)
"""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.browser.driven import Browser, driven

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "compare"
COMMAND = (
    "images", "compare", "A sunset over mountains", "A cat playing piano", "A futuristic city",
    "-m", "black-forest-labs/FLUX.1-schnell", "-m", "ByteDance/SDXL-Lightning-4step",
    "-m", "ByteDance/SDXL-Lightning-8step", "-m", "sandbox/refused",
    "--sandbox", "-o", "compare", "--cell", "240", "-q",
)  # fmt: skip


def main() -> None:
    """Write the pictures."""
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        env = {"PATH": os.environ["PATH"], "HOME": folder, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "nscale_cli", *COMMAND]
        subprocess.run(command, cwd=work, env=env, check=False)  # 24: a model refuses
        put("sheet.png", (work / "compare" / "sheet.png").read_bytes())
        with driven("chromium", work) as browser:
            photograph(browser, work)


def photograph(browser: Browser, work: Path) -> None:
    """Write the page, light and dark, and two images with the border between them."""
    page, shot = work / "compare" / "index.html", work / "shot.png"
    browser.open(page, width=1200, height=820)
    browser.ask("shot", path=str(shot))
    put("page.png", shot.read_bytes())
    browser.open(page, width=1200, height=820, dark=True)
    browser.press("ArrowDown", "ArrowDown", "c", "ArrowRight", "c", "ArrowLeft", "ArrowLeft")
    browser.until("document.querySelector('#pair-after').naturalWidth > 300")
    browser.ask("shot", path=str(shot))
    put("wipe.png", shot.read_bytes())


def put(name: str, data: bytes) -> None:
    """Write a picture, as small as it can be without loss."""
    with Image.open(io.BytesIO(data)) as picture:
        picture.convert("RGB").save(TARGET / name, optimize=True)
    print(f"docs/compare/{name} has {(TARGET / name).stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
