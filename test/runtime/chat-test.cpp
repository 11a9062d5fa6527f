// Chat templates, with the texts that jinja2 gives (trim_blocks and lstrip_blocks on), and what is refused.
#include "runtime/chat/ChatTemplate.h"

#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace moec::runtime;
using namespace moec::runtime::chat;
using Json = nlohmann::ordered_json;

namespace {
const std::vector<Message> talk{{"system", "Be kind."}, {"user", " Hi "}, {"assistant", "Hello\n"}, {"user", "Bye"}};

std::string render(std::string_view source) {
  Result<ChatTemplate> chatTemplate = ChatTemplate::parse(source);
  if (!chatTemplate.ok())
    return "ERROR " + chatTemplate.status().message();
  Result<std::string> text = chatTemplate->render(talk, {"<s>", "</s>", true});
  return text.ok() ? *text : "ERROR " + text.status().message();
}

struct Case {
  const char *source, *expected;
};
class Rendered : public testing::TestWithParam<Case> {};
TEST_P(Rendered, asJinjaDoes) { EXPECT_EQ(render(GetParam().source), GetParam().expected); }

const Case rendered[] = {
    {"plain { text } {", "plain { text } {"},
    {"{{ bos_token }}{{ eos_token }}", "<s></s>"},
    {"{# gone #}a", "a"},
    {"{% for m in messages %}{{ m['role'][0] if false else m.role }}:{{ m.content | trim }};{% endfor %}",
     "system:Be kind.;user:Hi;assistant:Hello;user:Bye;"},
    {"{% for m in messages %}\n  {% if loop.first %}\nF{% elif loop.last %}\nL{% else %}\n{{ loop.index }}{{ loop.index0 }}{% "
     "endif %}\n{% endfor %}",
     "F2132L"},
    {"{%- if add_generation_prompt -%}  x  {%- endif -%}  y", "xy"},
    {"a\n  {% set x = 3 %}\nb{{ x }}", "a\nb3"},
    {"{% set ns = namespace(n=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.n = ns.n + 1 %}{% endif %}{% endfor "
     "%}{{ ns.n }}",
     "2"},
    {"{% for m in messages[1:] %}{{ m.role }},{% endfor %}{{ messages[-1].content }}", "user,assistant,user,Bye"},
    {"{% for m in messages | list if m.role != 'system' %}{{ loop.length }}{% endfor %}", "333"},
    {"{{ messages[0]['content'] + '!' ~ 1 }}", "Be kind.!1"},
    {"{{ 'user' in ['user', 'tool'] }} {{ 'x' not in 'yz' }} {{ 1 < 2 and not false }}", "True True True"},
    {"{{ tools is defined }}{{ tools is not none }}{{ x | default('d') }}{{ 'a' is string }}", "TrueFalsedTrue"},
    {"{{ ' a b '.strip().split(' ') | join('-') }}{{ 'abc'.startswith('ab') }}{{ 'A'.lower() }}", "a-bTruea"},
    {"{{ {'a': [1, true, none, 'x\"y']} | tojson }}", "{\"a\": [1, true, null, \"x\\\"y\"]}"},
    {"{{ [1, 'two', none] }}", "[1, 'two', None]"},
    {"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 * 3 - 1 }}", "3 -4 2 5"},
    {"{{ messages | length }}{{ 'é' | length }}{{ 'x' | upper }}", "41X"},
    {"{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
     "02"},
    {"{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}", "a1b2"},
    {"{% for m in [] %}x{% else %}none{% endfor %}", "none"},
    {"{% set x %}block{% endset %}{{ x }}", "block"},
    {"{{ messages[::-1][0].content }}{{ missing }}", "Bye"},
    {"{{ undefined_name is undefined }}{{ (1, )[0] if false else 'ok' }}", "Trueok"},
    {"{{ raise_exception('no tools') }}", "ERROR chat template, line 1: the template refuses the messages: no tools"},
    {"a\nb{% call x() %}{% endcall %}", "ERROR chat template, line 2: {% call %} is not supported"},
    {"{% macro x(a) %}{% endmacro %}{{ x(1, 2) }}", "ERROR chat template, line 1: macro 'x' takes 1 arguments, got 2"},
    {"{% macro x(a) %}{% endmacro %}{{ x(b=2) }}", "ERROR chat template, line 1: macro 'x' has no parameter 'b'"},
    {"{% for x in [] recursive %}{% endfor %}", "ERROR chat template, line 1: a recursive loop is not supported"},
    {"{% raw %}{{ x", "ERROR chat template, line 1: expected {% endraw %}"},
    {"{{ '\\uD800' }}", "ERROR chat template, line 1: an escape \\u of no character"},
    {"{{ x | frobnicate }}", "ERROR chat template, line 1: the filter 'frobnicate' is not supported"},
    {"{{ 1 is frob }}", "ERROR chat template, line 1: the test 'frob' is not supported"},
    {"{{ 'a'.format(1) }}", "ERROR chat template, line 1: the method 'format' of a string is not supported"},
    {"{{ open('x') }}", "ERROR chat template, line 1: the function 'open' is not supported"},
    {"{{ missing.role }}", "ERROR chat template, line 1: 'role' of an undefined value"},
    {"{% if x %}", "ERROR chat template, line 1: expected {% endif %}"},
    {"{% endif %}", "ERROR chat template, line 1: unexpected {% endif %}"},
    {"{{ 'open", "ERROR chat template, line 1: a string without an end"},
    {"{{ 1", "ERROR chat template, line 1: a tag without an end"},
    {"{# open", "ERROR chat template, line 1: a comment without an end"},
    {"{{ 1 + 'a' }}", "ERROR chat template, line 1: '+' cannot take an integer and a string"},
    {"{{ 1 // 0 }}", "ERROR chat template, line 1: '//' of 1 and 0"},
};
INSTANTIATE_TEST_SUITE_P(ChatTemplate, Rendered, testing::ValuesIn(rendered));

Value valueOf(const Json &json) {
  if (json.is_null())
    return Value::none();
  if (json.is_boolean())
    return Value::of(json.get<bool>());
  if (json.is_number_integer())
    return Value::of(json.get<int64_t>());
  if (json.is_number())
    return Value::of(json.get<double>());
  if (json.is_string())
    return Value::of(json.get<std::string>());
  if (json.is_array()) {
    List list;
    for (const Json &each : json)
      list.push_back(valueOf(each));
    return Value::of(std::move(list));
  }
  Dictionary entries;
  for (const auto &[key, each] : json.items())
    entries.emplace_back(key, valueOf(each));
  return Value::of(std::move(entries));
}

TEST(ChatTemplate, givesWhatJinjaGivesForReleasedShapes) {
  std::ifstream lines(MOEC_TEST_DATA "/fixtures/chat/cases.jsonl");
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    Json row = Json::parse(line);
    Result<ChatTemplate> chatTemplate = ChatTemplate::parse(row["template"].get<std::string>());
    ASSERT_TRUE(chatTemplate.ok()) << chatTemplate.status().message() << "\n" << line;
    Result<std::string> text = chatTemplate->render(*valueOf(row["variables"]).dictionary());
    EXPECT_EQ(text.ok(), !row.contains("error")) << text.status().message() << "\n" << line;
    if (text.ok() && row.contains("expected"))
      EXPECT_EQ(*text, row["expected"].get<std::string>()) << line;
  }
  EXPECT_EQ(count, 124u);
}

/// Templates that would take forever, or all memory, or the stack.
struct Hostile {
  const char *name;
  std::string source;
  const char *message;
};
std::string repeat(const std::string &text, int count) {
  std::string result;
  while (count--)
    result += text;
  return result;
}
class Bounded : public testing::TestWithParam<Hostile> {};
TEST_P(Bounded, isRefusedSoon) {
  std::string text = render(GetParam().source);
  EXPECT_TRUE(text.starts_with("ERROR ")) << text.substr(0, 100);
  EXPECT_NE(text.find(GetParam().message), std::string::npos) << text.substr(0, 300);
}

const std::string twice = "{% set x = x ~ x %}", pair = "{% set x = [x, x] %}";
const Hostile hostile[] = {
    {"loops", "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
     "too many elements to go through"},
    {"longRange", "{{ range(1000000000) }}", "'range' expects at most"},
    {"manyRanges", "{% for i in range(1000) %}{{ range(900000) | length }}{% endfor %}", "steps"},
    {"repetition", "{{ 'abc' * 100000000 }}", "'*' makes more than"},
    {"doubling", "{% set x = 'abcdefgh' %}" + repeat(twice, 60), "steps"},
    {"doublingInALoop", "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
     "steps"},
    {"printing", "{% set x = 'a' * 1000000 %}{% for i in range(1000) %}{{ x }}{% endfor %}", "bytes of text"},
    {"replacing", "{% set x = 'a' * 1000000 %}{{ x.replace('a', x) }}", "'replace' makes too long a text"},
    {"splitting", "{% set x = 'ab' * 8000000 %}{{ x.split('a') | length }}", "'split' makes too many pieces"},
    {"splittingWords", "{% set x = 'a ' * 8000000 %}{{ x.split() | length }}", "'split' makes too many pieces"},
    {"characters", "{{ ('a' * 16000000) | list | length }}", "too many elements to go through"},
    {"slices", "{% set x = range(100000) %}{% for i in x %}{{ x[1:2] }}{% endfor %}", "too many elements to go through"},
    {"indentingLines", "{{ ('\n' * 16000000) | indent(0) }}", "'indent' of too many lines"},
    {"indenting", "{{ ('\n' * 1000000) | indent(1000) }}", "'indent' makes too long a text"},
    {"nestedPairs", "{% set x = [] %}" + repeat(pair, 40) + "{{ x }}", "steps"},
    {"comparedPairs", "{% set x = [] %}" + repeat(pair, 40) + "{% set y = x %}{% set x = [] %}" + repeat(pair, 40) + "{{ x == y }}",
     "steps"},
    {"deepLists", "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}",
     "nested more than 64 deep"},
    {"cycle", "{% set ns = namespace() %}{% set ns.a = ns %}", "a namespace inside another is not supported"},
    {"cycleInAList", "{% set ns = namespace() %}{% set ns.a = [ns] %}", "a namespace in a list"},
    {"recursion", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested more than 1000 deep"},
    {"branchingRecursion", "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}", "steps"},
    {"parentheses", "{{ " + repeat("(", 100000) + " }}", "nested more than 64 deep"},
    {"negations", "{{ " + repeat("not ", 100000) + "1 }}", "nested more than 64 deep"},
    {"signs", "{{ " + repeat("- ", 100000) + "1 }}", "nested more than 64 deep"},
    {"blocks", repeat("{% if 1 %}", 1000), "nested more than 64 deep"},
    {"elifs", "{% if 0 %}" + repeat("{% elif 0 %}", 10000) + "{% endif %}", "nested more than 64 deep"},
    {"sum", "{{ 1" + repeat(" + 1", 100000) + " }}", "a chain of more than 256 operations"},
    {"attributes", "{{ a" + repeat(".a", 100000) + " }}", "a chain of more than 256 operations"},
    {"filters", "{{ 'a'" + repeat(" | trim", 100000) + " }}", "a chain of more than 256 operations"},
    {"comparisons", "{{ 1" + repeat(" < 2", 100000) + " }}", "a chain of more than 256 operations"},
    {"source", std::string((1 << 20) + 1, 'a'), "1048577 bytes, expected at most 1048576"},
};
INSTANTIATE_TEST_SUITE_P(ChatTemplate, Bounded, testing::ValuesIn(hostile), [](const auto &info) { return info.param.name; });
} // namespace
