"""How near one picture comes to another."""

import numpy as np
import numpy.typing as npt

from tools.bench.raster import CELL, Pixels

Values = npt.NDArray[np.float64]
# The side, in pixels, to which pictures are shrunk before they are compared: as the authors of
# SSIM do it (near), and as 80 columns look from where they are read, two pixels a column (far).
NEAR, FAR = 256, 160
_WINDOW = 8  # pixels; at FAR these are whole cells, four by two


def seen(pixels: Pixels, side: int) -> Values:
    """Return the colours of a picture that is seen from where it is about `side` pixels large."""
    block = max(1, round(min(pixels.shape[:2]) / side))
    return block_means(pixels, block, block)


def brightness(colours: Values | Pixels) -> Values:
    """Return the luma of each pixel, 0 to 255 (Rec. 601, as Pillow's mode L)."""
    return colours @ np.array([0.299, 0.587, 0.114])


def ssim(one: Pixels, other: Pixels, side: int = FAR) -> float:
    """Return the structural similarity of two pictures' brightness: 1 where they are equal.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", 2004, with even windows of 8 x 8 pixels.
    """
    x, y = (brightness(seen(pixels, side)) for pixels in (one, other))
    mean_x, mean_y = _windowed(x), _windowed(y)
    variances = _windowed(x * x) - mean_x**2 + _windowed(y * y) - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float(np.mean(likeness / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))))


def _windowed(values: Values) -> Values:
    """Return the mean of each window."""
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW, axis=axis)
        values = windows.mean(axis=-1)
    return values


def psnr(one: Pixels, other: Pixels, side: int = FAR) -> float:
    """Return the peak signal-to-noise ratio of two pictures' colours in dB, at most 99."""
    error = np.mean((seen(one, side) - seen(other, side)) ** 2)
    return min(99.0, float(10 * np.log10(255**2 / max(error, 1e-9))))


def correlation(one: Pixels, other: Pixels) -> float:
    """Return how the brightness of cells goes together: 1, or -1 for a negative."""
    cells = [brightness(block_means(pixels, *CELL)) for pixels in (one, other)]
    return float(np.corrcoef(cells[0].ravel(), cells[1].ravel())[0, 1])


def block_means(pixels: Pixels, width: int, height: int) -> Values:
    """Return the means of blocks of `width` x `height` pixels; what is over is left out."""
    rows, columns = pixels.shape[0] // height, pixels.shape[1] // width
    whole = pixels[: rows * height, : columns * width].astype(float)
    return whole.reshape(rows, height, columns, width, 3).mean(axis=(1, 3))
