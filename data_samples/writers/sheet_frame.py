"""The frame of a sheet on layer TK: neatlines, grid crosses, title, and the notes in the margin."""

from datetime import date

from shapely import box

from data_samples.plan.frame import TOWN_ZH, Sheet
from data_samples.plan.relief import INTERVAL
from data_samples.writers.cass_drawing import CassDrawing

SURVEYED = {1000: date(2024, 3, 18), 2000: date(2021, 9, 6)}


def draw_frame(drawing: CassDrawing, sheet: Sheet) -> None:
    """Add neatline, outer frame, grid crosses every 10 cm, title and notes."""
    mm = drawing.millimetre
    drawing.ring("TK", "", sheet.neatline)
    west, south, east, north = sheet.neatline.bounds
    outer = box(west - 12 * mm, south - 12 * mm, east + 12 * mm, north + 12 * mm)
    drawing.ring("TK", "", outer)
    _crosses(drawing, sheet)
    _corner_figures(drawing, sheet)
    for words, across, up, size in _notes(sheet):
        x = west + across * (east - west)
        y = (north + up * mm) if up > 0 else (south + up * mm)
        drawing.text("TK", words, (x, y), size_mm=size, code="480410")


def _notes(sheet: Sheet) -> list[tuple[str, float, float, float]]:
    """Return words, share of the width, millimetres beyond the north or south neatline, size in mm."""
    surveyed = SURVEYED[sheet.scale]
    return [
        (TOWN_ZH, 0.5, 24.0, 5.0),
        (sheet.number, 0.5, 17.0, 4.0),
        (f"1:{sheet.scale}", 0.5, -18.0, 4.0),
        (f"{surveyed.year}年{surveyed.month}月数字化成图", 0.12, -16.0, 2.5),
        ("2000国家大地坐标系 中央子午线117度", 0.12, -20.0, 2.5),
        (f"1985国家高程基准,等高距{INTERVAL[sheet.scale]:g}米", 0.12, -24.0, 2.5),
        ("GB/T 20257.1-2017图式", 0.12, -28.0, 2.5),
        ("琅琊市勘察测绘院", 0.9, -16.0, 2.5),
    ]


def _crosses(drawing: CassDrawing, sheet: Sheet) -> None:
    step, arm = sheet.scale / 10, 5 * drawing.millimetre
    for i in range(1, 5):
        for j in range(1, 5):
            x, y = sheet.east + i * step, sheet.north + j * step
            drawing.line("TK", "", [(x - arm, y), (x + arm, y)])
            drawing.line("TK", "", [(x, y - arm), (x, y + arm)])


def _corner_figures(drawing: CassDrawing, sheet: Sheet) -> None:
    mm = drawing.millimetre
    for east in (sheet.east, sheet.east + sheet.side):
        for north in (sheet.north, sheet.north + sheet.side):
            drawing.text("TK", f"{north / 1000:.1f}", (east - 6 * mm, north + 2 * mm), size_mm=2.0)
            drawing.text("TK", f"{east / 1000:.1f}", (east + 2 * mm, north - 6 * mm), size_mm=2.0)
