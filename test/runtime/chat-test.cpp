// Chat templates, with the texts that jinja2 gives (trim_blocks and lstrip_blocks on), and what is refused.
#include "runtime/chat/ChatTemplate.h"

#include <gtest/gtest.h>

using namespace moec::runtime;

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
    {"{{ tools is defined }}{{ tools is not none }}{{ x | default('d') }}{{ 'a' is string }}", "FalseTruedTrue"},
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
    {"{{ undefined_name is undefined }}{{ (1, )[0] if false else 'ok' }}", "ERROR chat template, line 1: expected ')', got ','"},
    {"{{ raise_exception('no tools') }}", "ERROR chat template, line 1: the template refuses the messages: no tools"},
    {"a\nb{% macro x() %}{% endmacro %}", "ERROR chat template, line 2: {% macro %} is not supported"},
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

TEST(ChatTemplate, isBoundedInSteps) {
  EXPECT_NE(render("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}").find("steps"),
            std::string::npos);
  EXPECT_NE(render("{{ " + std::string(100000, '(') + " }}").find("deep"), std::string::npos);
  std::string nested;
  for (int i = 0; i < 1000; ++i)
    nested += "{% if 1 %}";
  EXPECT_NE(render(nested).find("deep"), std::string::npos);
}
} // namespace
