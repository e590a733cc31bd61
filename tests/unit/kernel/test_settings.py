"""Settings: all problems at once, secrets never shown, the key made once."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sdm.kernel.settings import Settings, SettingsError, mask_url, secret_key


def test_every_problem_is_named_at_once() -> None:
    environ = {
        "PORT": "0",
        "SDM_ENV": "lab",
        "SDM_WORKERS": "many",
        "SDM_TIMEZONE": "Mars/Olympus",
        "SDM_LOG_JSON": "?",
    }
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"SDM_HOME": "/x", **environ})
    assert set(caught.value.problems) == set(environ)
    assert all(name in str(caught.value) for name in environ)


@pytest.mark.parametrize(
    "url", ["mysql://u:p@h/d", "nonsense", "postgresql://host-without-database", "postgresql://h/"]
)
def test_an_address_that_is_no_postgresql_database_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        Settings.from_env({"SDM_HOME": "/x", "SDM_DATABASE_URL": url})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_usual_ways_to_write_an_address_mean_the_same(scheme: str) -> None:
    settings = Settings.from_env({"SDM_HOME": "/x", "SDM_DATABASE_URL": f"{scheme}://u:p@h:5433/d"})
    assert settings.database_url == "postgresql+psycopg://u:p@h:5433/d"
    assert not settings.embedded


def test_secrets_are_not_shown() -> None:
    environ = {
        "SDM_HOME": "/x",
        "SDM_DATABASE_URL": "postgresql://u:hidden-one@h/d",
        "SDM_SECRET_KEY": "hidden-two-hidden-two",
        "SDM_METRICS_TOKEN": "hidden-three-hidden-three",
    }
    settings = Settings.from_env(environ)
    shown = f"{settings.masked()} {settings!r}"
    assert "hidden" not in shown
    assert settings.masked()["database_url"] == "postgresql+psycopg://u:***@h/d"


def test_an_address_without_password_is_shown_as_it_is() -> None:
    assert mask_url("postgresql://u@h/d") == "postgresql://u@h/d"


def test_the_secret_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    settings = Settings.from_env({"SDM_HOME": str(tmp_path / "home")})
    first = secret_key(settings)
    assert secret_key(settings) == first
    assert len(first) >= 32
    assert stat.S_IMODE((tmp_path / "home" / "secret-key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_a_given_secret_key_writes_nothing(tmp_path: Path) -> None:
    settings = Settings.from_env({"SDM_HOME": str(tmp_path / "home"), "SDM_SECRET_KEY": "k" * 20})
    assert secret_key(settings) == "k" * 20
    assert not (tmp_path / "home").exists()


def test_https_makes_the_product_secure() -> None:
    assert Settings.from_env({"SDM_HOME": "/x", "SDM_PUBLIC_URL": "https://sdm.example.com/"}).secure
    assert not Settings.from_env({"SDM_HOME": "/x", "SDM_PUBLIC_URL": "http://sdm.example.com"}).secure
