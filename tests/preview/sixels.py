"""A small decoder of sixel pictures (DEC STD 070, chapter 9)."""

import re

from PIL import Image

UNDRAWN = (1, 2, 3)
_TOKEN = re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|([$-])")


def decode_sixel(text: str) -> Image.Image:
    """Return the picture; assert that there is nothing in `text` but one, and no pixel outside."""
    found = re.fullmatch(r'\x1bP0;1q"1;1;(\d+);(\d+)([^\x1b]*)\x1b\\', text)
    assert found is not None
    width, height = int(found[1]), int(found[2])
    shown = Image.new("RGB", (width, height), UNDRAWN)
    palette: dict[int, tuple[int, ...]] = {}
    colour, x, top, at = 0, 0, 0, 0
    for token in _TOKEN.finditer(found[3]):
        assert token.start() == at, found[3][at : at + 20]
        at = token.end()
        if token[1]:
            palette[int(token[1])] = tuple(round(int(token[n]) * 2.55) for n in (2, 3, 4))
        elif token[5]:
            colour = int(token[5])
        elif token[9]:
            x, top = 0, top + 6 * (token[9] == "-")
        else:
            bits, count = ord(token[7] or token[8]) - 63, int(token[6] or 1)
            for row in range(6):
                if bits >> row & 1:
                    assert x + count <= width and top + row < height
                    shown.paste(palette[colour], (x, top + row, x + count, top + row + 1))
            x += count
    assert at == len(found[3])
    return shown
