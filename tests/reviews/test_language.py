import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.reviews.language import language, languages


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("배송이 빨라서 좋아요", "ko"),
        ("ㅋㅋㅋ", "ko"),
        ("とても良い商品でした", "ja"),
        ("非常好，质量不错", "zh"),
        ("価格対応", "ja"),
        ("这个东西质量很好，物流也快，客服态度不错，良の品", "zh"),
        ("The shoes fit well and I love them", "en"),
        ("Die Ware kam leider nicht an", "de"),
        ("Très bon produit, livraison rapide", "fr"),
        ("Muy buena calidad, lo recomiendo", "es"),
        ("O produto chegou antes do prazo, muito bom", "pt"),
        ("Очень хороший товар", "ru"),
        ("สินค้าดีมาก", "th"),
        ("가방이 so cute 좋아요 정말 예뻐요", "ko"),
        ("12345 !!! 👍", "und"),
        ("", "und"),
    ],
)
def test_language(text: str, code: str) -> None:
    assert language(text).code == code


def test_an_expected_language_is_taken_where_little_is_told() -> None:
    assert language("Terrible", {"en", "ko"}).code == "en"
    assert language("Die Ware kam leider nicht an", {"en", "ko"}).code == "de"


def test_a_mixed_text_is_less_sure() -> None:
    assert language("좋아요 nice quality").share < language("좋아요 품질").share == 1


@settings(max_examples=200)
@given(st.lists(st.text(max_size=80), max_size=5))
def test_any_text_has_an_answer(texts: list[str]) -> None:
    assert all(len(code) in {2, 3} and 0 <= share <= 1 for code, share in languages(texts))


@settings(max_examples=200)
@given(st.text(st.characters(categories=["Lu", "Ll", "Lt", "Lm", "Mn"], max_codepoint=0x2000), min_size=1, max_size=3))
def test_any_letters_have_an_answer(text: str) -> None:
    assert 0 <= language(text).share <= 1
