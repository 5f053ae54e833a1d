from dataclasses import fields

import numpy as np
import pytest

from danggol.twin import Actions, Market, MarketFile
from danggol.twin.choice import choose, due, logistic, offer_terms, settle, utility
from danggol.twin.lists import MEMORY, Habits, Visits, draw_visits, seasons, show
from danggol.twin.offers import Terms, calendar_table, make_rates, traffic
from danggol.twin.people import TERMS


def _with(name: str, **changes: object) -> MarketFile:
    """A market with some parameters changed, as ``section__name=value``."""
    market = MarketFile.load(name)
    values = market.parameters.model_dump()
    for path, value in changes.items():
        section, parameter = path.split("__")
        values[section][parameter] = value
    return MarketFile(type(market.parameters)(**values), "changed")


@pytest.fixture(scope="module")
def world() -> Market:
    world = Market(_with("small", visits__stop=1e-9, visits__list_length=5), 0, 1.0, "KRW")
    for _ in range(12):
        world.step()
    return world


def _same_visit(world: Market, times: int) -> Visits:
    """One person with habits, coming again and again."""
    customer = int((world.habits.product >= 0).sum(axis=1).argmax())
    known = world.habits.product[customer]
    category = int(world.goods.category[known[known >= 0][0]])
    one = np.array([customer, world.people.country[customer], category, -1, 0])
    return Visits(*np.repeat(one[:, None], times, axis=1))


@pytest.mark.parametrize("shelved", [False, True])
def test_the_logged_propensity_is_how_often_a_listing_is_shown(world, shelved):
    times = 40_000
    visits, now = _same_visit(world, times), world.terms.week(12, world.store.units)
    home = int(visits.country[0])
    shelf = {home: np.flatnonzero(now.there[:, home])[:7]} if shelved else {}
    shown = show(visits, world.goods, now, world.habits, world.parameters, np.random.default_rng(1), shelf)
    frequency = np.bincount(shown.product, minlength=len(world.goods)) / times
    logged = np.zeros(len(world.goods))
    logged[shown.product] = shown.propensity
    seen = frequency > 0
    error = np.sqrt(np.maximum(logged * (1 - logged), 1e-9) / times)
    assert seen.sum() > 60
    assert (np.abs(frequency - logged)[seen] < 5 * error[seen] + 2e-4).all()
    assert (np.isfinite(shown.gap)).any()
    for product in np.unique(shown.product):
        assert np.ptp(shown.propensity[shown.product == product]) < 1e-12
    assert now.there[shown.product, visits.country[shown.visit]].all()


def test_what_is_chosen_has_the_probability_that_the_truth_says(world):
    times = 60_000
    visits, now, rng = _same_visit(world, 1), world.terms.week(13), np.random.default_rng(2)
    one = show(visits, world.goods, now, world.habits, world.parameters, rng)
    number = len(one)
    visits = Visits(**{field.name: np.repeat(getattr(visits, field.name), times) for field in fields(Visits)})
    many = type(one)(
        visit=np.repeat(np.arange(times), number),
        **{
            name: np.tile(getattr(one, name), times)
            for name in ("place", "product", "second_picture", "propensity", "gap", "cut")
        },
    )
    u = utility(visits, many, world.people, world.goods, now, world.parameters)
    lift = np.full(len(visits), 0.4)
    chosen = choose(u, visits, many, world.people, world.goods, world.parameters, world.level, lift, rng)
    for truth, did in ((chosen.p_buy, chosen.bought), (chosen.p_view, chosen.viewed)):
        probability = truth[:number]
        frequency = did.reshape(times, number).mean(axis=0)
        assert (np.abs(frequency - probability) < 5 * np.sqrt(probability * (1 - probability) / times)).all()
    assert (chosen.viewed >= chosen.bought).all()
    assert (chosen.carted >= chosen.bought).all()
    assert (chosen.viewed >= chosen.carted).all()
    assert chosen.dwell.min() >= 1
    assert chosen.quantity.min() >= 1


def test_the_pilot_sets_the_conversion_that_the_market_asks_for():
    for asked in (0.01, 0.04):
        still = Actions(own_campaigns=False, own_broadcasts=False)
        world = Market(_with("small", choice__conversion=asked, choice__habit=0.0, offers__sale=[]), 4, 3.0, "KRW")
        weeks = [world.step(still) for _ in range(6)]
        orders, visits = (sum(len(week.tables[name]) for week in weeks) for name in ("orders", "sessions"))
        assert abs(orders / visits - asked) < 5 * np.sqrt(asked / visits) + 0.15 * asked


def test_people_answer_to_the_terms_of_an_offer_as_their_sensitivities_say():
    from sklearn.linear_model import LogisticRegression

    world = Market("small", 1, 4.0, "KRW")
    offers, bought = [], []
    for week in range(8):
        rng = np.random.default_rng(week)
        now = world.terms.week(week)
        wanted = np.tile(seasons(world.parameters, world.clock, week), (8, 1))
        visits = draw_visits(world.people, world.people.visits * world.present(week), wanted, rng)
        shown = show(visits, world.goods, now, world.habits, world.parameters, rng)
        u = utility(visits, shown, world.people, world.goods, now, world.parameters)
        lift = np.zeros(len(visits))
        chosen = choose(u, visits, shown, world.people, world.goods, world.parameters, world.level, lift, rng)
        terms = offer_terms(visits, shown, world.people, world.goods, now)
        offers.append(np.column_stack([terms, np.log1p(shown.place), world.goods.quality[shown.product]]))
        bought.append(chosen.bought)
    design, answer = np.concatenate(offers), np.concatenate(bought)
    fit = LogisticRegression(C=1e4, max_iter=500).fit(design, answer).coef_[0]
    found = dict(zip([*TERMS, "place", "quality"], fit, strict=True))
    assert -1.6 < found["price"] < -0.4
    assert found["place"] < 0
    for name in ("free_shipping", "reviews", "picture", "quality"):
        assert found[name] > 0, name


def test_categories_are_looked_at_more_in_their_season(world):
    names = [category.name for category in world.parameters.goods.category]
    plush, rng = names.index("plush"), np.random.default_rng(5)
    weeks = {world.clock.monday(week).month: week for week in range(world.clock.weeks)}
    factors = {month: seasons(world.parameters, world.clock, week) for month, week in weeks.items()}
    assert factors[12][plush] == pytest.approx(1.6, abs=0.02)
    assert factors[12][plush] == max(factor[plush] for factor in factors.values())
    shares = {}
    for month in (8, 12):
        visits = draw_visits(world.people, 30 * world.people.visits, np.tile(factors[month], (8, 1)), rng)
        shares[month] = (visits.category == plush).mean()
    assert shares[12] > 1.3 * shares[8]


def test_a_consumable_is_wanted_when_it_is_used_up():
    gap = np.array([np.nan, 0.0, 1.0, 5.0, 6.0, 12.0, 30.0], dtype=np.float32)
    wanted = due(gap, np.full(len(gap), 6.0, dtype=np.float32))
    assert wanted[0] == 0
    assert wanted[1] < 0
    assert wanted.argmax() == 4
    assert wanted[4] == pytest.approx(1.0)
    assert abs(wanted[-1]) < 0.01
    assert (due(gap, np.zeros(len(gap), dtype=np.float32)) == 0).all()


def test_habits_remember_the_last_purchases_of_each_person():
    habits = Habits.none(3)
    habits.bought(np.array([0, 0, 2, 0]), np.array([5, 7, 5, 5]), week=1)
    assert set(habits.product[0]) == {5, 7, -1}
    assert habits.product[1].max() == -1
    habits.bought(np.array([0]), np.array([5]), week=4)
    assert sorted(habits.product[0][habits.product[0] >= 0]) == [5, 7]
    assert habits.week[0][habits.product[0] == 5] == 4
    assert habits.week[0][habits.product[0] == 7] == 1
    for product in range(20, 20 + MEMORY):
        habits.bought(np.array([0]), np.array([product]), week=5)
    assert sorted(habits.product[0]) == list(range(20, 20 + MEMORY))


def test_the_logistic_does_not_overflow():
    x = np.array([-1000.0, -2.0, 0.0, 2.0, 1000.0])
    assert np.allclose(logistic(x), [0, 0.11920292, 0.5, 0.88079708, 1])


def test_the_intercept_is_found_for_extreme_utilities(world):
    visits, now, rng = _same_visit(world, 500), world.terms.week(14), np.random.default_rng(3)
    shown = show(visits, world.goods, now, world.habits, world.parameters, rng)
    u = np.full(len(shown), 30.0, dtype=np.float32)
    level = settle(u, visits, shown, world.people, world.parameters)
    assert level.centre == pytest.approx(30.0)
    lift = np.zeros(len(visits))
    chosen = choose(u, visits, shown, world.people, world.goods, world.parameters, level, lift, rng)
    # The second and further listings of a visit that buys add a little to the first.
    assert 0.8 * 0.029 < np.bincount(shown.visit, chosen.p_buy).mean() < 1.6 * 0.029


def test_terms_change_within_their_bounds_and_the_sales_bring_reductions_and_visits():
    world = Market("small", 0, 1.0, "KRW")
    terms = Terms(world.parameters, world.goods, world.clock, 0)
    reduced = []
    for week in range(world.clock.weeks):
        now = terms.week(week)
        assert (now.price > 0).all()
        assert (now.price <= now.list_price).all()
        assert now.there.any(axis=1).sum() == (world.goods.listed_week <= week).sum()
        reduced.append((now.discount > 0.01).mean(axis=0))
    busy = np.array([traffic(world.parameters, world.clock, week) for week in range(world.clock.weeks)])
    calm = np.array(reduced)[busy == 1]
    # Reductions run before the first week as they do later.
    assert np.array(reduced)[:4].mean() == pytest.approx(np.array(reduced)[4:10].mean(), rel=0.25)
    assert np.array(reduced)[busy > 1].min() > calm.max()
    days = calendar_table(world.parameters, world.clock)
    assert len(days) == 7 * int((busy > 1).sum())
    assert set(days["name"]) == {"Singles' Day", "Black Friday", "Christmas"}


def test_exchange_rates_stay_around_those_of_the_table(world):
    rates = make_rates(world.parameters, world.clock, "KRW", 0)
    assert (rates.rate[:, rates.currencies.index("KRW")] == 1).all()
    dollars = rates.rate[:, rates.currencies.index("USD")]
    assert dollars.mean() == pytest.approx(1390, rel=0.05)
    assert 0 < np.diff(np.log(dollars)).std() < 0.006
