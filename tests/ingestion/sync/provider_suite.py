"""What every live provider must do, to be inherited by the tests of each: see `LiveProviderSuite`."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from ingestion.providers.base.errors import AccessGone, TokenExpired
from ingestion.providers.base.live import LiveProvider, Pulled
from metrics.batch import microseconds
from metrics.local_time import LocalCalendar
from metrics.registry import BY_CODE

Rows = dict[tuple[str, object, int], float]
HOUR = dt.timedelta(hours=1)


@dataclass
class Account:
    """An account with data of every data type in [start, end). `expire` makes the token one that is not taken."""

    provider: LiveProvider
    token: str
    start: dt.datetime
    end: dt.datetime
    zone: str
    expire: Callable[[], object]


def rows(pulled: Pulled) -> Rows:
    return {
        (batch.metric, batch.source, int(at)): float(value)
        for batch in pulled.payload.samples
        for at, value in zip(batch.time, batch.value, strict=True)
    }


class LiveProviderSuite:
    """Inherit, name the class Test..., and give a fixture `account`."""

    def pull(self, account: Account, code: str, start: dt.datetime, end: dt.datetime) -> Pulled:
        calendar = LocalCalendar(zoneinfo.ZoneInfo(account.zone))
        return account.provider.pull(account.token, code, start, end, calendar)

    def samples(self, account: Account) -> list[str]:
        return [code for code, one in account.provider.data_types.items() if one.metrics]

    def test_it_says_what_it_is(self, account: Account) -> None:
        assert account.provider.slug.isidentifier()
        assert account.provider.name

    def test_every_data_type_brings_metrics_we_know(self, account: Account) -> None:
        for code, one in account.provider.data_types.items():
            assert one.code == code
            assert set(one.metrics) <= BY_CODE.keys()
            assert one.scope in account.provider.scopes

    def test_a_data_type_brings_no_other_metrics_than_it_says(self, account: Account) -> None:
        for code in self.samples(account):
            brought = {b.metric for b in self.pull(account, code, account.start, account.end).payload.samples}
            assert brought <= set(account.provider.data_types[code].metrics)

    def test_there_is_something_to_bring(self, account: Account) -> None:
        assert any(rows(self.pull(account, code, account.start, account.end)) for code in self.samples(account))

    def test_a_pull_keeps_to_its_window(self, account: Account) -> None:
        middle = account.start + (account.end - account.start) / 2
        low, high = microseconds(middle), microseconds(middle + HOUR)
        for code in self.samples(account):
            if not account.provider.data_types[code].by_day:
                times = [at for _, _, at in rows(self.pull(account, code, middle, middle + HOUR))]
                assert all(low <= at < high for at in times)

    def test_two_halves_are_the_whole(self, account: Account) -> None:
        middle = (account.start + (account.end - account.start) / 2).replace(minute=0, second=0, microsecond=0)
        for code in self.samples(account):
            halves = rows(self.pull(account, code, account.start, middle)) | rows(
                self.pull(account, code, middle, account.end)
            )
            assert halves == rows(self.pull(account, code, account.start, account.end)), code

    def test_the_same_request_has_the_same_response(self, account: Account) -> None:
        for code in self.samples(account):
            assert rows(self.pull(account, code, account.start, account.end)) == rows(
                self.pull(account, code, account.start, account.end)
            )

    def test_columns_are_of_one_length_and_ascend(self, account: Account) -> None:
        for code in self.samples(account):
            for batch in self.pull(account, code, account.start, account.end).payload.samples:
                assert (batch.time.dtype.name, batch.value.dtype.name) == ("int64", "float64")
                assert bool(np.all(np.diff(batch.time) > 0))
                assert bool(np.all(np.isfinite(batch.value)))

    def test_sources_are_of_this_provider(self, account: Account) -> None:
        for code in self.samples(account):
            found = {b.source.provider for b in self.pull(account, code, account.start, account.end).payload.samples}
            assert found <= {account.provider.source_provider}

    def test_the_offsets_are_left_to_the_engine(self, account: Account) -> None:
        for code in account.provider.data_types:
            assert self.pull(account, code, account.start, account.end).payload.offsets == []

    def test_nothing_there_is_an_empty_answer(self, account: Account) -> None:
        long_ago = dt.datetime(2012, 1, 1, tzinfo=dt.UTC)
        for code in self.samples(account):
            assert rows(self.pull(account, code, long_ago, long_ago + HOUR)) == {}

    def test_fingerprints_name_whole_hours_with_data(self, account: Account) -> None:
        for code, one in account.provider.data_types.items():
            if one.fingerprinted:
                found = account.provider.fingerprints(account.token, code, account.start, account.end)
                assert all(hour == hour.replace(minute=0, second=0, microsecond=0) for hour in found)

    def test_an_unknown_data_type_is_a_mistake_of_ours(self, account: Account) -> None:
        with pytest.raises(KeyError):
            self.pull(account, "no-such-type", account.start, account.end)

    def test_a_token_that_is_not_taken_is_said_so(self, account: Account) -> None:
        account.expire()
        with pytest.raises(TokenExpired):
            self.pull(account, next(iter(account.provider.data_types)), account.start, account.end)

    def test_a_code_that_was_never_given_out_is_refused(self, account: Account) -> None:
        with pytest.raises(AccessGone) as refused:
            account.provider.exchange("no-such-code", "v" * 50, "https://trial.test/callback")
        assert refused.value.code == AccessGone.CODE_REFUSED

    def test_the_account_has_an_id(self, account: Account) -> None:
        assert account.provider.identity(account.token).user_id

    def test_the_account_tells_of_its_devices(self, account: Account) -> None:
        assert account.provider.devices(account.token)

    def test_revoking_twice_is_no_error(self, account: Account) -> None:
        account.provider.revoke(account.token)
        account.provider.revoke(account.token)
