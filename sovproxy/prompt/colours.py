"""Colours that can be read: contrast by WCAG 2.2, and the nearest shade that reaches it.

Source of the formulas: WCAG 2.2, definitions of "relative luminance" and "contrast ratio".
"""

from __future__ import annotations

import re

AA_TEXT = 4.5
"""Contrast ratio that WCAG 2.2 asks of text at level AA (success criterion 1.4.3)."""

type Rgb = tuple[int, int, int]

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_BLACK: Rgb = (0, 0, 0)
_WHITE: Rgb = (255, 255, 255)
_STEPS = 256


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two `#rrggbb` colours, from 1 to 21. Raises ValueError."""
    lighter, darker = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def readable_on(background: str, colour: str, ratio: float = AA_TEXT) -> str:
    """The shade nearest to `colour` that reaches `ratio` on `background`.

    The hue is kept: the colour is mixed with black on a light background and with white on a dark
    one. A colour that reaches the ratio comes back as it is. Raises ValueError for a colour that
    is not `#rrggbb`, and for a background on which neither black nor white reaches the ratio.
    """
    pole = _pole(background, ratio)
    shades = (_mixed(_rgb(colour), pole, step) for step in range(_STEPS + 1))
    return next(shade for shade in shades if contrast(shade, background) >= ratio)


def _pole(background: str, ratio: float) -> Rgb:
    pole = max(_BLACK, _WHITE, key=lambda end: contrast(_hex(end), background))
    if contrast(_hex(pole), background) < ratio:
        raise ValueError(f"no colour reaches a contrast of {ratio} on {background}")
    return pole


def _mixed(colour: Rgb, pole: Rgb, step: int) -> str:
    channels = (
        (c * (_STEPS - step) + p * step) // _STEPS for c, p in zip(colour, pole, strict=True)
    )
    red, green, blue = channels
    return _hex((red, green, blue))


def _rgb(text: str) -> Rgb:
    if not _HEX.fullmatch(text):
        raise ValueError(f"a colour is #rrggbb, got {text!r}")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _hex(rgb: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _luminance(rgb: Rgb) -> float:
    red, green, blue = (_linear(channel / 255) for channel in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
