"""Reviews of the simulated market: who writes, how many stars, and what the text says."""

import dataclasses
import re
import tomllib
from importlib.resources import files

import numpy as np
import polars as pl
import pytest

from danggol.twin import MarketFile, wording
from danggol.twin.randomness import stream
from danggol.twin.reviews import Facts, chance_of_writing, write
from danggol.twin.sections import CAUSES
from danggol.twin.slips import with_slips
from danggol.twin.titles import brand_names
from danggol.twin.words import CATEGORIES, COLORS, LANGUAGES

PHRASES = tomllib.loads(files("danggol.twin").joinpath("phrases.toml").read_text("utf8"))
PARAMETERS = MarketFile.load("default").parameters
SETTINGS = PARAMETERS.reviews
CLEAN = SETTINGS.model_copy(
    update={"typos": 0.0, "emoji": 0.0, "english": 0.0, "sarcasm": 0.0, "disagree": 0.0, "title": 1.0}
)
SCRIPT = {"ko": "[가-힣]", "ja": "[ぁ-ヿ一-鿿]", "zh": "[一-鿿]"}


def facts(rows: int, language: str | None = None, cause: str | None = None, seed: int = 0) -> Facts:
    """Purchases on which causes strike at their rates (late at 12%), or one cause on all of them and no other.

    People like what they buy: its match and quality add 0.4, as counted in the default market.
    """
    rng, settings = stream(seed, "facts of reviews"), PARAMETERS.delivery
    rates = [getattr(settings.rate, name, 0.12) for name in CAUSES]
    category = rng.choice(list(CATEGORIES), rows)
    causes = rng.random((rows, len(CAUSES))) < rates
    causes[:, CAUSES.index("size")] &= np.isin(category, ["tops", "dresses", "shoes"])
    if cause is not None:
        causes[:] = [name == cause for name in CAUSES]
    hurt = [getattr(settings.hurt, name) for name in CAUSES]
    spread = np.sqrt(settings.match**2 + settings.quality**2 + settings.noise**2)
    brands = brand_names(20, rng)
    return Facts(
        language=rng.choice(LANGUAGES, rows) if language is None else np.full(rows, language),
        category=category.tolist(),
        color=rng.choice(COLORS, rows).tolist(),
        brand=[brands[at] for at in rng.integers(0, len(brands), rows)],
        satisfaction=settings.pleased + 0.4 + spread * rng.normal(size=rows) - causes @ np.array(hurt),
        causes=causes,
        late_days=np.where(causes[:, 0], rng.exponential(3.0, rows), 0.0),
    )


def patterns(language: str, part: str, kind: str) -> list[re.Pattern[str]]:
    """The sentences of a kind, as patterns over written text."""
    found = []
    for writer in range(len(wording.writers(language))):
        for template in wording.speech(language, writer).sentences[f"{part}.{kind}"]:
            pieces = [piece if isinstance(piece, tuple) else (piece,) for piece in template]
            options = ["(?:" + "|".join(_open(text) for text in piece) + ")" for piece in pieces]
            found.append(re.compile("".join(options).replace(" ", " ?"), re.IGNORECASE))
    return found


def _open(text: str) -> str:
    return re.sub(r"\\\{.*?\\\}", ".+?", re.escape(text).replace(r"\ ", " "))


def test_the_same_stream_gives_the_same_reviews():
    one, again, other = (write(facts(300), SETTINGS, stream(seed, "reviews")) for seed in (1, 1, 2))
    assert one.equals(again)
    assert (one["text"] != other["text"]).mean() > 0.9


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_review_reads_well_in_every_language(language):
    written = write(facts(3000, language), CLEAN, stream(0, "reviews"))
    assert written["language"].unique().to_list() == [language]
    assert sorted(written["rating"].unique().to_list()) == [1, 2, 3, 4, 5]
    for column in ("text", "title"):
        assert written[column].null_count() == 0
        assert written[column].str.contains(r"[\[\]{}<>|/]|  |^\s|\s$|None|^$").sum() == 0
    if language in SCRIPT:
        assert written["text"].str.contains(SCRIPT[language]).all()
    assert written["text"].n_unique() > 0.85 * len(written)
    each = written.group_by("stars_meant").agg(pl.col("text").n_unique() / pl.len())
    assert each["text"].min() > 0.8


def test_of_2000_korean_reviews_nearly_all_texts_differ():
    assert write(facts(2000, "ko"), SETTINGS, stream(0, "reviews"))["text"].n_unique() >= 1700


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_enough_to_say_in_every_language(language):
    least = {"overall": 12, "complaint": 8, "praise": 6, "headline": 8}
    table = PHRASES[language]
    for part, number in least.items():
        for kind, block in table[part].items():
            assert len(set(block.strip().splitlines())) >= (6 if kind == "quality" else number), (part, kind)
    assert set(CAUSES) < set(table["complaint"])
    assert set(table["overall"]) == set(table["headline"]) == set(wording.MOODS)
    assert len(table["sarcasm"]["any"].strip().splitlines()) >= 5
    nouns = {noun for category in CATEGORIES.values() for noun in category[language]}
    if "this" in table:
        assert sorted(noun for held in table["this"].values() for noun in held) == sorted(nouns)


def test_other_languages_are_written_in_english_and_some_switch():
    written = write(facts(2000, "sv"), SETTINGS, stream(0, "reviews"))
    assert written["language"].unique().to_list() == ["en"]
    german = write(facts(8000, "de"), SETTINGS, stream(0, "reviews"))
    assert (german["language"] == "en").mean() == pytest.approx(SETTINGS.english, abs=0.01)


def test_written_ratings_are_j_shaped():
    bought = facts(40_000, "en")
    some = stream(0, "who writes").random(40_000) < chance_of_writing(bought.satisfaction, SETTINGS)
    kept = {field.name: _rows(getattr(bought, field.name), some) for field in dataclasses.fields(bought)}
    written = write(Facts(**kept), SETTINGS, stream(0, "reviews"))
    one, two, three, four, five = (float((written["rating"] == stars).mean()) for stars in (1, 2, 3, 4, 5))
    assert 0.52 < five < 0.66
    assert 0.14 < four < 0.22
    assert 0.06 < three < 0.11
    assert 0.03 < two < 0.07
    assert 0.06 < one < 0.14
    assert one > two < three < four < five


def _rows(values, kept):
    return values[kept] if isinstance(values, np.ndarray) else [values[at] for at in np.flatnonzero(kept)]


def test_the_delighted_and_the_angry_write_more():
    middling = (SETTINGS.cuts[1] + SETTINGS.cuts[2]) / 2
    chance = chance_of_writing(middling + np.array([-3.0, -1.0, 0.0, 1.0, 3.0]), SETTINGS)
    assert chance[2] == pytest.approx(SETTINGS.share)
    assert chance[0] == pytest.approx(chance[4])
    assert chance[0] > chance[1] > chance[2]
    nobody = SETTINGS.model_copy(update={"share": 0.0})
    assert chance_of_writing(np.array([-2.0, 2.0]), nobody).max() == 0


def test_stars_disagree_and_irony_strikes_at_their_rates():
    often = SETTINGS.model_copy(update={"disagree": 0.1, "sarcasm": 0.2})
    written = write(facts(12_000), often, stream(0, "reviews"))
    meant = written["stars_meant"]
    assert written.filter(meant != 3)["disagrees"].mean() == pytest.approx(0.1, abs=0.01)
    assert written.filter(meant <= 2)["sarcastic"].mean() == pytest.approx(0.2, abs=0.03)
    assert written.filter(meant > 2)["sarcastic"].sum() == 0
    mirrored = written["disagrees"]
    assert (written["rating"] == 6 - meant).filter(mirrored).all()
    assert (written["rating"] == meant).filter(~mirrored).all()
    assert written["has_picture"].mean() == pytest.approx(SETTINGS.picture, abs=0.01)
    assert written["title"].is_not_null().mean() == pytest.approx(SETTINGS.title, abs=0.02)


def test_irony_is_worded_as_praise():
    ironic = CLEAN.model_copy(update={"sarcasm": 1.0})
    written = write(facts(600, "en"), ironic, stream(0, "reviews")).filter("sarcastic")
    said = [pattern for kind in ("any", *CAUSES) for pattern in patterns("en", "sarcasm", kind)]
    assert len(written) > 50
    assert all(any(pattern.search(text) for pattern in said) for text in written["text"])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_that_struck_is_told_of(cause, language):
    written = write(facts(150, language, cause), CLEAN, stream(0, "reviews"))
    said = patterns(language, "complaint", cause)
    tells = np.array([any(pattern.search(text) for pattern in said) for text in written["text"]])
    assert 0.68 < tells.mean() < 0.95
    assert (written["complains_of"].list.contains(cause).to_numpy() <= tells).all()
    if cause == "late":
        assert (
            written.filter(pl.Series(tells))["text"].str.contains(r"(?i)\d|a day|einen Tag|un jour|un día|一天").all()
        )


def test_what_went_wrong_is_not_praised_and_nothing_else_is_blamed():
    bought = facts(4000)
    written = write(bought, CLEAN, stream(0, "reviews"))
    for at, cause in enumerate(CAUSES):
        struck = pl.Series(bought.causes[:, at])
        assert not written.filter(~struck)["complains_of"].list.contains(cause).any()
        aspect = {"late": "delivery", "damaged": "packaging"}.get(cause, cause)
        assert not written.filter(struck)["praises"].list.contains(aspect).any()
    praised = written.group_by("stars_meant").agg((pl.col("praises").list.len() > 0).mean()).sort("stars_meant")
    assert praised["praises"][4] > 0.6 > praised["praises"][1] > 0.1


def test_slips_leave_clean_text_alone_at_0_and_keep_their_rate():
    draw = stream(0, "slips").random
    text = "배송이 빨라요 the delivery was quick 色がとてもきれいです " * 40
    assert with_slips(text, 0.0, draw) == text
    slipped = with_slips(text, 0.05, draw)
    assert 0.95 * len(text) < len(slipped) < 1.02 * len(text)
    clean = write(facts(1500, "en"), CLEAN, stream(0, "reviews"))["text"]
    common = set(" ".join(clean.to_list()).split())
    typed = write(facts(1500, "en", seed=1), CLEAN.model_copy(update={"typos": 0.02}), stream(0, "reviews"))["text"]
    unknown = [word for text in typed for word in text.split() if word not in common]
    assert 0.03 < len(unknown) / sum(len(text.split()) for text in typed) < 0.2


def test_signs_fit_the_mood_nearly_always():
    signed = CLEAN.model_copy(update={"emoji": 1.0})
    written = write(facts(3000, "ko"), signed, stream(0, "reviews"))
    good, bad = (written.filter(pl.col("stars_meant").is_in(stars))["text"] for stars in ((4, 5), (1, 2)))
    assert 0 < good.str.contains("ㅠㅠ|😡|👎").mean() < 0.04
    assert bad.str.contains("ㅠ|ㅜ|ㅡㅡ|😡|😭|👎|😤|;;|하\\.\\.").mean() > 0.85
