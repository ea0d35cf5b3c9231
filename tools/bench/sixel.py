"""Sixel pictures, decoded as DEC STD 070, chapter 9 says."""

import re

import numpy as np
import numpy.typing as npt

_TOKEN = re.compile(
    r'"[0-9;]*|#([0-9]+)(?:;2;([0-9]+);([0-9]+);([0-9]+))?|!([0-9]+)(.)|([$-])|([?-~])'
)


def decode_sixel(text: str) -> npt.NDArray[np.uint8]:
    """Return the pixels of the picture; what it leaves unpainted is black."""
    found = re.search(r'\x1bP[0-9;]*q("[0-9]+;[0-9]+;([0-9]+);([0-9]+).*?)\x1b\\', text, re.DOTALL)
    if found is None:
        raise ValueError("no whole sixel image that tells its size")
    width, height = int(found[2]), int(found[3])
    bands = -(-height // 6)
    pixels = np.zeros((bands * 6, width, 3), np.uint8)
    palette: dict[int, list[int]] = {}
    x = band = colour = 0
    for token in _TOKEN.finditer(found[1]):
        if token[2]:
            palette[int(token[1])] = [round(int(token[i]) * 255 / 100) for i in (2, 3, 4)]
        elif token[1]:
            colour = int(token[1])
        elif token[7]:
            x, band = 0, band + (token[7] == "-")
        elif token[6] or token[8]:
            count, bits = int(token[5] or 1), ord(token[6] or token[8]) - 63
            for line in range(6):
                if bits >> line & 1:
                    pixels[band * 6 + line, x : x + count] = palette[colour]
            x += count
    return pixels[:height]
