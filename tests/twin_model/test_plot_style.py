"""Plots of a notebook: Chinese titles are drawn with Chinese letters, or the labels are English and it is said why."""

import os
import warnings
from collections.abc import Iterator
from types import SimpleNamespace

import matplotlib
import pytest

from twin_model.desk import plot_style
from twin_model.desk.plot_style import CHINESE_FONTS, use_plot_style
from twin_model.town import Town

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    """Leave matplotlib as it was."""
    with matplotlib.rc_context():
        yield


def test_a_chinese_title_is_drawn_without_missing_letters() -> None:
    import matplotlib.pyplot as plt

    lang = use_plot_style("zh")
    if lang != "zh":
        assert os.environ.get("CI") != "true", "no Chinese font is installed, and CI=true"
        pytest.skip("no Chinese font is installed: this part is NOT tested here")
    figure, axes = plt.subplots()
    axes.set_title("容积率 −1.5 m²")
    axes.plot([-1, 1])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    plt.close(figure)
    assert matplotlib.rcParams["font.family"][0] in CHINESE_FONTS


def test_without_a_chinese_font_labels_are_english_and_both_languages_say_so_once() -> None:
    plot_style._warn_of_no_font.cache_clear()
    matplotlib.rcParams["font.family"] = ["monospace"]
    with pytest.warns(UserWarning) as warned:
        langs = [use_plot_style("zh", fonts=["No Such Font"]) for _ in range(2)]

    texts = [str(each.message) for each in warned]
    assert langs == ["en", "en"]
    assert len(texts) == 1
    assert "未安装中文字体" in texts[0] and "No Chinese font is installed" in texts[0]
    assert matplotlib.rcParams["font.family"] == ["monospace"], "what was set before stays"


def test_titles_stand_left_and_frames_are_open_as_in_our_notebooks() -> None:
    use_plot_style("zh")

    assert matplotlib.rcParams["axes.titlelocation"] == "left"
    assert not matplotlib.rcParams["axes.spines.top"]
    assert not matplotlib.rcParams["axes.unicode_minus"]


def test_a_town_that_shows_itself_in_english_has_english_labels() -> None:
    english: Town = SimpleNamespace(lang="en")  # type: ignore[assignment]

    assert Town.plot_style(english) == "en"
