"""A server that misbehaves: each fault ends in an answer, a reason, or an error that says what to
do; never in a number that is not the model's."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai", reason="the extra 'server' is not installed")

from scripted_server import Said, Scripted, choice, serving

from harness.endpoints import client, refusals
from harness.engines.server import ServerEngine
from harness.errors import PreflightError, ServerError
from harness.types import Completion, Message, Request, Server

KEY = "secret-of-the-test"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting between tries as usual, but for a few milliseconds; and no proxy on the way."""
    monkeypatch.setattr(client, "FIRST_DELAY_S", 0.002)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def engine(script: Scripted, model: str = "base", **options: Any) -> ServerEngine:
    return ServerEngine(model, Server(script.url, **{"timeout_s": 20.0, **options}))


def requests(made: ServerEngine, questions: list[str], **options: Any) -> list[Request]:
    prompts = made.prompts([[talk(q)] for q in questions])
    return [Request(q, p, **options) for q, p in zip(questions, prompts, strict=True)]


def talk(text: str) -> Message:
    return {"role": "user", "content": text}


def ask(made: ServerEngine, *questions: str, **options: Any) -> dict[str, Completion]:
    found = list(made.complete(requests(made, list(questions), **options)))
    assert sorted(c.key for c in found) == sorted(questions)
    return {c.key: c for c in found}


def only(question: str, said: Said, times: int = 1 << 30) -> Any:
    """``said`` to that question, so many times; the usual answer to the others."""

    def answer(body: Mapping[str, Any], before: int) -> Said | None:
        asked = body["messages"][-1]["content"] == question
        return said if asked and before < times else None

    return answer


# ---- answers


def test_an_answer_carries_its_tokens_its_time_and_its_end() -> None:
    def answer(body: Mapping[str, Any], before: int) -> Said | None:
        time.sleep(0.05)
        reason = "length" if body["messages"][-1]["content"] == "long" else "stop"
        return choice("yes", finish_reason=reason)

    with serving(answer) as script:
        found = ask(engine(script), "short", "long")
    short, long = found["short"], found["long"]
    assert (short.text, short.tokens_in, short.tokens_out) == ("yes", 7, 2)
    assert (short.finish_reason, long.finish_reason) == ("stop", "length")
    assert 0.05 <= short.latency_s < 10
    assert short.error is None


def test_greedy_requests_say_so_and_sampled_ones_differ_by_seed() -> None:
    with serving() as script:
        made = engine(script, extra_body={"chat_template_kwargs": {"thinking": False}})
        ask(made, "a")
        ask(made, "b", temperature=0.7, top_p=0.9, seed=1)
        ask(made, "c", temperature=0.7, top_p=0.9, seed=1)
        greedy, one, two = script.asked
    assert greedy["temperature"] == 0.0
    assert greedy["max_tokens"] == 64
    assert "seed" not in greedy
    assert greedy["chat_template_kwargs"] == {"thinking": False}
    assert (one["temperature"], one["top_p"]) == (0.7, 0.9)
    assert one["seed"] != two["seed"]


def test_an_empty_text_is_an_answer_and_a_missing_choice_is_none() -> None:
    wrong = {
        "empty": choice(""),
        "null": choice(None, finish_reason="length"),
        "refused": choice(None, refusal="No.", message={"content": None, "refusal": "No."}),
        "fewer": Said(body={"choices": []}),
        "none": Said(body={"id": "1"}),
        "odd": Said(body={"choices": [{"index": 0}]}),
        "filtered": choice("Well", finish_reason="content_filter"),
    }
    with serving(lambda body, _: wrong.get(body["messages"][-1]["content"])) as script:
        found = ask(engine(script), *wrong, "fine")
    assert {k: c.text for k, c in found.items()} == {
        "empty": "",
        "null": "",
        "refused": "No.",
        "fewer": None,
        "none": None,
        "odd": None,
        "filtered": None,
        "fine": "base: fine",
    }
    assert "without a choice" in str(found["fewer"].error)
    assert "without a choice" in str(found["none"].error)
    assert "no text" in str(found["odd"].error)
    assert "content_filter" in str(found["filtered"].error)
    assert found["fewer"].tokens_in is None


def test_tokens_that_the_server_does_not_count_are_not_known() -> None:
    said = {"no": choice("a", usage=None), "half": choice("b", usage={"prompt_tokens": 3})}
    with serving(lambda body, _: said.get(body["messages"][-1]["content"])) as script:
        found = ask(engine(script), "no", "half")
    assert (found["no"].tokens_in, found["no"].tokens_out) == (None, None)
    assert (found["half"].tokens_in, found["half"].tokens_out) == (3, None)


# ---- lost and found again


@pytest.mark.parametrize(
    "fault",
    [
        Said(500, {"error": "boom"}),
        Said(503, "busy"),
        Said(429, {"error": {"message": "slow down"}}),
        Said(reset=True),
        Said(200, '{"choices": [{"mess'),
        Said(200, "<html>gateway</html>", {"Content-Type": "text/html"}),
        Said(200, "[1]"),
    ],
    ids=["500", "503", "429", "reset", "truncated", "html", "list"],
)
def test_a_fault_that_passes_leaves_no_trace(fault: Said) -> None:
    with serving(only("q", fault, times=2)) as script:
        found = ask(engine(script), "q", "other")
    assert found["q"].text == "base: q"
    assert found["q"].error is None
    assert [script.question(b) for b in script.asked].count("q") == 3


def test_a_fault_that_stays_is_unscored_with_the_reason_and_spares_the_others() -> None:
    fault = Said(500, {"error": {"message": "out of memory", "code": "oom"}})
    with serving(only("q", fault)) as script:
        found = ask(engine(script, max_retries=2), "q", "other")
    assert found["q"].text is None
    assert found["q"].finish_reason == "error"
    assert found["q"].error == "HTTP 500: out of memory (oom) (after 3 tries)"
    assert found["other"].text == "base: other"


def test_a_request_that_takes_too_long_is_given_up() -> None:
    held = threading.Event()

    def answer(body: Mapping[str, Any], before: int) -> Said | None:
        if body["messages"][-1]["content"] == "slow":
            held.wait(30)
        return None

    with serving(answer) as script:
        found = ask(engine(script, timeout_s=0.5, max_retries=1), "slow", "quick")
        held.set()
    assert found["slow"].error == "no answer within 0.5 s (after 2 tries)"
    assert found["quick"].text == "base: quick"


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_server_is_left_alone_for_as_long_as_it_asks(form: str) -> None:
    arrived: list[float] = []

    def answer(body: Mapping[str, Any], before: int) -> Said | None:
        arrived.append(time.time())
        wish = "1.2" if form == "seconds" else formatdate(time.time() + 2.5, usegmt=True)
        return Said(429, {"error": "busy"}, {"Retry-After": wish}) if before == 0 else None

    with serving(answer) as script:
        assert ask(engine(script), "q")["q"].text == "base: q"
    # A date has no fractions of a second.
    assert arrived[1] - arrived[0] >= (1.2 if form == "seconds" else 1.4)


def test_a_wish_of_hours_is_a_refusal() -> None:
    busy = Said(429, {"error": "daily limit"}, {"Retry-After": "7200"})
    with serving(only("q", busy)) as script:
        found = ask(engine(script), "q", "other")
    assert str(found["q"].error).startswith("HTTP 429: daily limit")
    assert "7200" in str(found["q"].error)
    assert [script.question(b) for b in script.asked].count("q") == 1


def test_a_used_up_quota_is_not_waited_for() -> None:
    spent = Said(429, {"error": {"message": "You are out.", "code": "insufficient_quota"}})
    with serving(only("q", spent)) as script:
        found = ask(engine(script), "q")
    assert "insufficient_quota" in str(found["q"].error)
    assert len(script.asked) == 1


def test_a_server_that_has_gone_ends_the_run_and_keeps_what_there_was() -> None:
    def answer(body: Mapping[str, Any], before: int) -> Said | None:
        return None if body["messages"][-1]["content"] == "0" else Said(500, {"error": "dead"})

    with serving(answer) as script:
        made = engine(script, max_retries=1, concurrency=1)
        answers = made.complete(requests(made, [str(i) for i in range(500)]))
        assert next(answers).text == "base: 0"
        with pytest.raises(ServerError, match=r"stopped answering: HTTP 500: dead.*run again"):
            list(answers)
    assert len(script.asked) < 60


# ---- refused


def test_a_context_that_is_too_long_is_told_apart() -> None:
    words = "This model's maximum context length is 512 tokens, however you requested 900 tokens."
    with serving(only("q", Said(400, {"error": {"message": words}}))) as script:
        found = ask(engine(script), "q", "other")
    assert str(found["q"].error).startswith("prompt too long: HTTP 400: This model's maximum")
    assert found["other"].error is None
    assert [script.question(b) for b in script.asked].count("q") == 1


def test_another_refusal_is_unscored_with_the_server_s_words() -> None:
    with serving(only("q", Said(422, {"detail": "Unexpected fields: {'x'}"}))) as script:
        assert ask(engine(script), "q")["q"].error == "HTTP 422: Unexpected fields: {'x'}"


def test_a_wrong_model_name_names_the_known_ones() -> None:
    def answer(body: Mapping[str, Any], before: int) -> Said | None:
        known = body["model"] in ("base", "tuned")
        return None if known else Said(404, {"error": {"message": "no such model"}})

    with serving(answer) as script:
        with pytest.raises(ServerError, match=r"no model 'bse'. Did you mean 'base'\? Known: base"):
            engine(script, "bse").reach()
        with pytest.raises(ServerError, match=r"no model 'tund'. Did you mean 'tuned'"):
            engine(script).reach(["tund"])
        engine(script).reach(["tuned"])


def test_a_server_that_answers_to_any_name_is_not_believed() -> None:
    with (
        serving(models=["real"]) as script,
        pytest.raises(ServerError, match=r"answers whatever model one names.*Known: real"),
    ):
        engine(script, "wrong").reach()


def test_a_server_that_lists_nothing_is_taken_at_its_word() -> None:
    with serving(models=Said(404, {"detail": "Not Found"})) as script:
        made = engine(script)
        made.reach()
        assert made.identity["model_told"] == "{}"


def test_a_model_that_goes_away_in_the_middle_ends_the_run() -> None:
    with serving(only("q", Said(404, {"error": "unloaded"}))) as script:
        made = engine(script)
        made.reach()
        with pytest.raises(ServerError, match=r"does not answer for the model 'base'.*unloaded"):
            ask(made, "q")


def test_a_server_that_is_not_there() -> None:
    with serving() as script:
        pass
    with pytest.raises(ServerError, match=f"{script.url} cannot be reached.*Is it running there"):
        engine(script).reach()


def test_a_page_that_is_no_api() -> None:
    with (
        serving(lambda *_: Said(200, {"hello": "world"}), models=()) as script,
        pytest.raises(ServerError, match=r"cannot be used.*Is it an OpenAI-compatible API"),
    ):
        engine(script).reach()


# ---- keys


def refuses(body: Mapping[str, Any], before: int) -> Said:
    return Said(401, {"error": {"message": f"Incorrect key: {KEY}"}})


def test_the_key_comes_from_the_environment_and_shows_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEST_SERVER_KEY", KEY)
    caplog.set_level(0)
    with serving() as script:
        made = engine(script, api_key_env="TEST_SERVER_KEY")
        ask(made, "q")
        assert script.headers[0]["authorization"] == f"Bearer {KEY}"
        assert KEY not in str(made.identity)
    with serving(refuses) as script, pytest.raises(ServerError) as error:
        engine(script, api_key_env="TEST_SERVER_KEY").reach()
    assert "refuses the key in TEST_SERVER_KEY" in str(error.value)
    assert KEY not in str(error.value)
    fault = Said(500, {"error": f"Bearer {KEY} made me fail"})
    with serving(only("q", fault)) as script:
        found = ask(engine(script, api_key_env="TEST_SERVER_KEY", max_retries=0), "q")
    assert found["q"].error == "HTTP 500: Bearer … made me fail (after 1 try)"
    assert KEY not in caplog.text


def test_a_key_for_another_server_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    with serving() as script:
        ask(engine(script), "q")
    (headers,) = script.headers
    assert KEY not in str(headers)
    assert not [name for name in headers if name.startswith("x-stainless-os")]


def test_a_key_that_is_missing_or_wanted() -> None:
    with serving(lambda *_: Said(401, {"error": "no"})) as script:
        with pytest.raises(ServerError, match=r"variable NO_SUCH_KEY.*is not set"):
            engine(script, api_key_env="NO_SUCH_KEY")
        with pytest.raises(ServerError, match=r"wants a key.*api_key_env"):
            engine(script).reach()


# ---- pace


def test_requests_become_as_many_as_the_server_takes() -> None:
    """The server refuses more than eight at a time; what it saw tells how we came to that."""
    most = 8

    def answer(body: Mapping[str, Any], before: int) -> Said | None:
        crowded = script.at_a_time[-1] > most
        time.sleep(0.02)
        return Said(429, {"error": "busy"}) if crowded else None

    with serving(answer) as script:
        made = engine(script, concurrency=64, max_retries=20)
        found = ask(made, *map(str, range(400)))
    assert all(c.error is None for c in found.values())
    # It grew until it was refused ...
    assert script.most_at_a_time > most
    # ... and not far beyond: without backing off all 64 would come at once.
    assert script.most_at_a_time <= 4 * most
    assert len(script.asked) < 600
    # It speeds up again after a refusal: in the second half the bound was reached once more.
    assert max(script.at_a_time[len(script.asked) // 2 :]) > most


def test_the_bound_on_requests_at_a_time_holds() -> None:
    def answer(body: Mapping[str, Any], before: int) -> None:
        # Until three have met, however slow the machine is; then just long enough for a fourth.
        patience = time.monotonic() + 1.0
        while script.most_at_a_time < 3 and time.monotonic() < patience:
            time.sleep(0.005)
        time.sleep(0.005)

    with serving(answer) as script:
        ask(engine(script, concurrency=3), *map(str, range(60)))
        assert script.most_at_a_time == 3


def test_whoever_stops_taking_answers_stops_the_requests() -> None:
    with serving(lambda *_: time.sleep(0.01)) as script:  # type: ignore[func-returns-value]
        made = engine(script, concurrency=2)
        made.reach()
        answers = made.complete(requests(made, [str(i) for i in range(500)]))
        next(answers)
        answers.close()  # type: ignore[attr-defined]
        time.sleep(0.3)
        asked = len(script.asked)
        time.sleep(0.3)
        assert len(script.asked) == asked < 100


def test_retry_after_is_read_in_both_its_forms() -> None:
    assert refusals.wish({"retry-after": "3"}) == 3.0
    soon = refusals.wish({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert soon is not None
    assert 50 < soon < 62
    assert refusals.wish({"retry-after": "soon"}) is None
    assert refusals.wish({}) is None


# ---- prompts rendered here


@pytest.mark.model
def test_text_stands_for_tokens_only_where_it_comes_to_the_same_ones(smollm2: Path) -> None:
    """A server that takes text alone, and counts too many tokens, or none, for one question."""

    def answer(body: Mapping[str, Any], before: int) -> Said:
        if isinstance(body["prompt"], list):
            return Said(400, {"error": "prompt must be a string"})
        count = None if "uncounted" in body["prompt"] else len(tokenizer(body["prompt"]).input_ids)
        usage = {"prompt_tokens": count and count + ("miscounted" in body["prompt"])}
        return Said(body={"choices": [{"text": "yes", "finish_reason": "stop"}], "usage": usage})

    from harness import models

    tokenizer = models.load_tokenizer(smollm2)
    with serving(answer) as script:
        server = Server(script.url, api="completions", tokenizer=str(smollm2))
        made = ServerEngine("base", server, tokenizer=smollm2)
        assert made.identity["prompt_sent_as"] == "text"
        found = ask(made, "fine", "miscounted", "uncounted")
    assert found["fine"].text == "yes"
    assert found["fine"].tokens_in == len(made.prompts([[talk("fine")]])[0].tokens or ())
    for name in ("miscounted", "uncounted"):
        assert "counts other tokens" in str(found[name].error)


@pytest.mark.model
def test_another_tokenizer_is_refused(smollm2: Path) -> None:
    said = Said(body={"choices": [{"text": "y"}], "usage": {"prompt_tokens": 3}})
    with serving(lambda *_: said) as script:
        server = Server(script.url, api="completions", tokenizer=str(smollm2))
        with pytest.raises(ServerError, match=r"counts other tokens.*\(3 for \d+\)"):
            ServerEngine("base", server, tokenizer=smollm2).reach()


# ---- identity and canary


def test_another_deployment_is_another_identity() -> None:
    def told(**entry: Any) -> dict[str, str]:
        listed = Said(body={"data": [{"id": "base", "created": time.time(), **entry}]})
        pages = {"/version": {"version": "0.9"}}
        with serving(models=listed, pages=pages) as script:
            found = dict(engine(script).identity)
            del found["base_url"]
            return found

    one = told(root="/weights/a", owned_by="vllm")
    assert one == told(root="/weights/a", owned_by="vllm")
    assert one != told(root="/weights/b", owned_by="vllm")
    assert one["server"] == "vLLM"
    assert "0.9" in one["server_told"]


def test_settings_of_the_model_s_files_are_switched_off_where_the_server_has_them() -> None:
    listed = Said(body={"data": [{"id": "base", "owned_by": "vllm"}]})
    with serving(models=listed) as script:
        ask(engine(script, extra_body={"min_p": 0.1}), "q")
    assert script.asked[0]["repetition_penalty"] == 1.0
    assert script.asked[0]["min_p"] == 0.1


def test_adapters_of_llama_cpp_are_put_on_by_number() -> None:
    """They have no names but their files', and its model's name is not looked at."""
    listed = [{"id": 0, "path": "/a/other.gguf"}, {"id": 1, "path": "/a/tuned.gguf", "scale": 1.0}]
    pages = {"/props": {"build_info": "b1"}, "/lora-adapters": listed}
    with serving(models=["base"], pages=pages) as script:
        made = engine(script)
        made.reach(["tuned"])
        with pytest.raises(ServerError, match="'tund' is not one that it has"):
            made.reach(["tund"])
        assert '"root":"/a/tuned.gguf"' in made.told_of("tuned")
    scales = {body["model"]: [x["scale"] for x in body["lora"]] for body in script.asked}
    assert (scales["base"], scales["tuned"]) == ([0.0, 0.0], [0.0, 1.0])
    assert script.asked[0]["repeat_penalty"] == 1.0


def logs(*pairs: tuple[str, float]) -> dict[str, Any]:
    made = [
        {"token": t, "logprob": x, "top_logprobs": [{"token": t, "logprob": x}]} for t, x in pairs
    ]
    return {"logprobs": {"content": made}}


def test_an_adapter_that_changes_the_text_is_proved() -> None:
    with serving() as script:
        made = engine(script)
        made.probes = [[talk("of the suite")]]
        proof = made.prove("tuned")
    assert proof["canary"]["probes"] == proof["canary"]["texts_changed"] == 3
    assert proof["canary"]["texts_changed_by_asking_again"] == 0
    assert proof["template"] == "the server's, not known"
    assert "of the suite" in [script.question(b) for b in script.asked]


def test_an_adapter_that_changes_nothing_is_refused() -> None:
    with (
        serving(lambda body, _: choice(f"same: {body['messages'][-1]['content']}")) as script,
        pytest.raises(PreflightError, match="adapter 'tuned' changes nothing"),
    ):
        engine(script).prove("tuned")


def test_a_change_of_log_probabilities_is_enough_and_scatter_is_not() -> None:
    def answer(body: Mapping[str, Any], before: int) -> Said:
        # The base scatters by 0.01 from one time to the next; `tuned` is 0.2 away.
        value = -1.0 - 0.2 * (body["model"] == "tuned") - 0.01 * (before % 2)
        return choice("yes", **logs(("yes", value)))

    with serving(answer) as script:
        proof = engine(script).prove("tuned")
        assert proof["canary"]["texts_changed"] == 0
        assert proof["canary"]["max_log_probability_change"] == pytest.approx(0.2, abs=0.02)
        assert proof["canary"]["max_log_probability_change_by_asking_again"] == pytest.approx(0.01)
        # Under another name the base again: it differs, but as from itself.
        with pytest.raises(PreflightError, match="log-probabilities included"):
            engine(script).prove("base again")


def test_a_base_that_never_says_the_same_proves_nothing_by_text() -> None:
    with (
        serving(lambda body, before: choice(f"{before}{body['model']}")) as script,
        pytest.raises(PreflightError, match="changes nothing"),
    ):
        engine(script).prove("tuned")


def test_an_adapter_of_another_base_is_refused_where_the_server_tells() -> None:
    entries = [{"id": "base"}, {"id": "tuned", "parent": "other"}, {"id": "other"}]
    with (
        serving(models=Said(body={"data": entries})) as script,
        pytest.raises(PreflightError, match="'tuned' belongs to 'other'"),
    ):
        engine(script).prove("tuned")


def test_a_server_without_log_probabilities_is_asked_for_texts() -> None:
    def answer(body: Mapping[str, Any], before: int) -> Said | None:
        return Said(400, {"error": "logprobs: unknown"}) if "logprobs" in body else None

    with serving(answer) as script:
        proof = engine(script).prove("tuned")
    assert proof["canary"]["max_log_probability_change"] is None
    assert proof["canary"]["texts_changed"] == 2


def test_likelihoods_are_unscored_with_a_reason() -> None:
    from harness.types import Forced

    with serving() as script:
        made = engine(script)
        (prompt,) = made.prompts([[talk("q")]])
        (found,) = made.likelihoods([Forced("k", prompt, "target")])
    assert found.log_likelihood is None
    assert "does not tell" in str(found.error)
