import time

import numpy as np
import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.reviews.aspects.seeds import SeedAspects
from danggol.reviews.aspects.words import AspectWords


@pytest.fixture(scope="module")
def seeds():
    return SeedAspects()


def said(seeds, text):
    return {row["aspect"]: row["polarity"] for row in seeds.label([text]).iter_rows(named=True)}


@pytest.mark.parametrize(
    ("text", "aspects"),
    [
        ("배송은 빠른데 포장이 엉망이에요", {"delivery_time": 1, "packaging": -1}),
        ("품질이 좋지 않아요. 가격은 저렴하고요", {"quality": -1, "price": 1}),
        ("하자 없이 잘 왔어요", {"damaged": 1}),
        ("The staff was not rude at all but delivery was slow", {"service": 1, "delivery_time": -1}),
        ("Nothing was broken, the price is great", {"damaged": 1, "price": 1}),
        ("O produto chegou antes do prazo, mas veio quebrado", {"delivery_time": 1, "damaged": -1}),
        ("质量不好，物流很快", {"quality": -1, "delivery_time": 1}),
        ("品質は良い、発送が遅い", {"quality": 1, "delivery_time": -1}),
        ("Die Lieferung war schnell. Die Qualität ist leider schlecht", {"delivery_time": 1, "quality": -1}),
        ("La livraison est rapide, mais la qualité est mauvaise", {"delivery_time": 1, "quality": -1}),
        ("El envío fue muy rápido, la calidad es pésima", {"delivery_time": 1, "quality": -1}),
    ],
)
def test_names_aspects_and_how_they_are_spoken_of(seeds, text, aspects):
    assert {name: np.sign(value) for name, value in said(seeds, text).items()} == aspects


@pytest.mark.parametrize(
    ("text", "aspects"),
    [
        ("상품이 별로예요", {}),
        ("거품이 잘 나요. 반품이 귀찮아요", {"service": 0}),
        ("품이 너무 커서 별로예요", {"size_fit": -1}),
        ("주문하자마자 바로 왔어요 최고", {}),
        ("개봉 하자마자 먹었어요", {}),
        ("하자가 있어요. 상품하자 아닌가요", {"damaged": -1}),
        ("조금이라도 추천이요", {}),
        ("무료배송에 빠른배송 좋아요", {"delivery_time": 1}),
        ("블랙박스 좋아요", {}),
        ("선물박스 예뻐요", {"packaging": 1}),
        ("Los rotuladores pintan rotundamente bien", {}),
        ("Vino roto y la caja tambien", {"damaged": -1, "packaging": -1}),
        ("The crackers were great", {}),
        ("A screen with cracks", {"damaged": -1}),
        ("これは大丈夫です", {}),
    ],
)
def test_a_seed_inside_another_word_is_not_meant(seeds, text, aspects):
    assert {name: np.sign(value) for name, value in said(seeds, text).items()} == aspects


@pytest.mark.parametrize(
    ("text", "polarity"),
    [
        ("포장이 불편해요", -1),
        ("상담이 불친절했어요", -1),
        ("가격이 아쉬워요", -1),
        ("크기가 종류별로 있어요", 0),
        ("배송이 겁나빠르네요", 1),
        ("가격은 주문제작이라 그래요", 0),
        ("Die Lieferung ist schon da", 0),
        ("Die Lieferung war problemlos", 1),
        ("收到快递了", 0),
    ],
)
def test_a_feeling_inside_another_word_is_not_meant(seeds, text, polarity):
    assert [np.sign(one) for one in said(seeds, text).values()] == [polarity]


def test_words_may_be_marked_as_not_meant(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[aspects.a]\nko = ["*박스", "-*블랙박스"]\nen = ["*pack*", "-backpack*"]\n', "utf8")
    found = SeedAspects(path).label(
        ["빨간박스", "블랙박스", "블랙박스의 박스", "unpacking it is fun", "a backpack to buy"]
    )
    assert found["row"].to_list() == [0, 2, 3]


def test_apostrophes_match_however_they_are_written(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        "[aspects.a]\nen = ['doesn’t work']\n[aspects.b]\nen = [\"it isn't there\"]\n[aspects.price]\nen = ['price']\n"
        "[feelings.en]\npleased = ['great']\nbefore = [' isn’t ']\n",
        "utf8",
    )
    found = SeedAspects(path).label(
        ["it doesn't work", "it doesn’t work", "it isn’t there", "it isn`t there", "the price isn't great"], ["en"] * 5
    )
    assert found.select("row", "aspect").rows() == [(0, "a"), (1, "a"), (2, "b"), (3, "b"), (4, "price")]
    assert found["polarity"][-1] == -1


def test_blanks_in_a_seed_change_nothing(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[aspects.a]\nko = ["* 박스", "-* 블랙박스"]\nen = ["* pack", " wrong   size ", "- wrong size 0"]\n', "utf8"
    )
    texts = ["빨간박스", "블랙박스", "a backpack", "the packet", "the wrong size", "the wrong size 4"]
    found = SeedAspects(path).label(texts, ["ko"] * 2 + ["en"] * 4)
    assert found["row"].to_list() == [0, 2, 4]


def test_the_span_is_the_clause_that_shows_it(seeds):
    rows = seeds.label([None, "", "배송은 빠른데 포장이 엉망이에요!!"]).rows(named=True)
    assert [(row["row"], row["span"]) for row in rows] == [(2, "배송은 빠른데"), (2, "포장이 엉망이에요")]
    assert all(0.5 <= row["confidence"] <= 1 for row in rows)


def test_a_scorer_speaks_where_there_are_no_words_of_feeling():
    seeds = SeedAspects(scorer=lambda texts: np.array([0.25 if "meh" in one else -0.5 for one in texts]))
    assert said(seeds, "the price is meh; delivery was great") == {"price": 0.25, "delivery_time": 1}


@pytest.mark.parametrize(
    ("text", "polarity"),
    [
        ("배송 빠름", 1),
        ("배송 느림", -1),
        ("가격 쌈", 1),
        ("가격 비쌈", -1),
        ("색상 예쁨", 1),
        ("색상 안 예쁨", -1),
        ("포장 불편함", -1),
        ("가격이 비싸고", -1),
        ("quality isnt good", -1),  # codespell:ignore
        ("quality isn't good", -1),
        ("quality isn’t good", -1),
        ("quality cant be bad", 1),  # codespell:ignore
    ],
)
def test_clipped_words_and_negations_are_understood(seeds, text, polarity):
    assert [np.sign(one) for one in said(seeds, text).values()] == [polarity]


def test_a_scorer_is_asked_once_of_what_no_word_tells_in_languages_that_it_has_learnt():
    asked = []

    def scorer(texts):
        asked.append(list(texts))
        return np.full(len(texts), 0.5)

    texts = [
        "가격은 그렇다네요. 배송 빨라요",
        "포장이 이러네요",
        "质量就这样吧我们觉得",
        "damaged, the box is so so",
        "",
    ]
    found = SeedAspects(scorer=scorer, scored={"ko", "en"}).label(texts)
    assert asked == [["가격은 그렇다네요", "포장이 이러네요", "the box is so so"]]
    told = dict(zip(zip(found["row"], found["aspect"], strict=True), found["polarity"], strict=True))
    assert told[0, "price"] == told[1, "packaging"] == told[3, "packaging"] == 0.5
    assert told[0, "delivery_time"] == 1 and told[2, "quality"] == 0 and told[3, "damaged"] == -1
    again = SeedAspects(scorer=scorer, scored={"ko"}).label(texts, ["ko", "ko", "zh", "en", "ko"])
    assert again.filter(pl.col("row") == 3)["polarity"].to_list() == [-1, 0]


def test_what_a_seed_says_by_itself_stands_whatever_is_beside_it(seeds):
    assert said(seeds, "a lovely broken cup") == {"damaged": -1}
    assert said(seeds, "not damaged, bad price") == {"damaged": 1, "price": -1}


def test_a_clause_without_feeling_takes_that_of_the_review(seeds):
    assert said(seeds, "About the price: terrible") == {"price": -1}
    assert said(seeds, "I love this. The price is what I expected") == {"price": 1}
    assert said(seeds, "The price is what I expected") == {"price": 0}


def test_odd_texts_get_an_answer(seeds):
    odd = ["a", "😀😀", "가격 " * 50_000, "<b>price is good</b>\x00 가격이 좋아요", "\n", "!!!"]
    assert set(seeds.label(odd)["row"]) == {2, 3}


@pytest.mark.parametrize("part", ["배송 좋아요 ", "the price is good ", "质量好", "배송이좋아요"])
def test_a_long_review_is_read_in_no_time(seeds, part):
    text = (part * 20_000)[:100_000] + ". 포장이 엉망이에요, the box was bad, 包装差"
    began = time.process_time()
    found = seeds.label([text])
    seeds.unexplained([text])
    assert time.process_time() - began < 1
    assert found["span"].str.len_chars().max() <= 200
    assert found.filter(pl.col("aspect") == "packaging")["polarity"].to_list() == [-1]


def test_clauses_without_seeds_are_unexplained(seeds):
    found = seeds.unexplained(["가격은 좋아요, 강아지가 무서워해요", "ok"])
    assert found.rows() == [(0, "강아지가 무서워해요"), (1, "ok")]


def test_a_shop_writes_its_own_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[aspects.smell]\nen = ["smell*"]\n[feelings.en]\ndispleased = ["awful"]\n', "utf8")
    assert said(SeedAspects(path), "it smells awful, price is good") == {"smell": -1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[aspects", "not valid TOML"),
        ("[topics.a]\nen = ['a']", "has a table .topics."),
        ("[feelings.en]\npleased = ['a']", "names no aspect"),
        ("[aspects.a]\nenglish = ['a']", "'english' .* is no language"),
        ("[aspects.a]\nxx = ['a']", "'xx' .* it may be ar, de, .* ko"),
        ("[aspects.a]\nen = ['a']\n[feelings.xx]\npleased = ['a']", "'xx' .* is no language"),
        ("[aspects.a]\nen = ['\u3000']", "which says nothing"),
        ("[aspects.a]\nko = ['\uff0a']", "which says nothing"),
        ("[aspects.a]\nko = ['\u3164']", "which says nothing"),
        ("[aspects.a]\nko = ['-*']", "which says nothing"),
        ("[aspects.a]\nko = ['\u200b']", "which says nothing"),
        ("[aspects.a]\nko = ['-a']", "has no seed words"),
        ("[aspects.냄새]\nko = ['a']", 'not valid TOML.*marks: "냄새"'),
        ("[aspects.'']\nko = ['a']", "is called ''"),
        ("[aspects.'가격 ']\nko = ['a']", "is called '가격 '"),
        ("[aspects.a]\nen = 'a'", "must be a list of words"),
        ("[aspects.a]\nen = []", "has no seed words"),
        ("[aspects.a]\nen = ['a']\nfeeling = 2", "from -1 to 1"),
        ("[aspects.a]\nen = ['a']\n[feelings.en]\nhappy = ['a']", "'happy' .* is not known"),
        ("aspects = 3", "must hold tables"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "mine.toml"
    path.write_text(content, "utf8")
    with pytest.raises(DataError, match=words):
        AspectWords.load(path)
    with pytest.raises(UsageError, match="cannot read"):
        AspectWords.load(tmp_path / "none.toml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_a_file_is_read_as_editors_save_it(tmp_path, encoding):
    path = tmp_path / "mine.toml"
    path.write_bytes('[aspects."냄새"]\r\nko = ["*냄새"]\r\n'.encode(encoding))
    assert said(SeedAspects(path), "이상한냄새") == {"냄새": 0}
    path.write_bytes('[aspects."냄새"]\nko = ["*냄새"]\n'.encode("utf-16"))
    with pytest.raises(DataError, match="neither UTF-8 nor CP949"):
        AspectWords.load(path)


def test_languages_without_words_of_feeling_are_named(tmp_path, seeds):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[aspects.a]\nko = ["a"]\nen = ["a"]\nja = ["a"]\n[aspects.b]\nfeeling = -1\nde = ["b"]\n'
        '[feelings.ja]\npleased = ["c"]\n',
        "utf8",
    )
    assert SeedAspects(path).mute == ["en", "ko"]
    assert SeedAspects(path, scorer=np.zeros, scored={"ko"}).mute == ["en"]
    assert SeedAspects(path, scorer=np.zeros).mute == [] == seeds.mute


def test_languages_are_one_a_text(seeds):
    with pytest.raises(UsageError, match="2 texts and 1 languages"):
        seeds.label(["a", "b"], ["en"])
    assert seeds.label(["price is good"], ["xx"]).height == 0
