"""Foreign text in generated code stays text, whatever it holds."""

import ast

from hypothesis import given
from hypothesis import strategies as st

from levada.contract._generate.text import comment, docstring, quoted

NASTY = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\"'\\\n\r\t\x00\x0c\u2028\u202e{}#"),
    max_size=80,
)


@given(NASTY)
def test_a_literal_is_the_text(text):
    assert ast.literal_eval(quoted(text)) == text


@given(NASTY)
def test_a_docstring_is_one_string_and_nothing_else(text):
    module = ast.parse(docstring(text, ""))
    assert [type(n) for n in module.body] == [ast.Expr]
    assert isinstance(ast.literal_eval(module.body[0].value), str)


@given(NASTY)
def test_a_comment_holds_no_code(text):
    assert ast.parse("\n" + comment(text, "") + "\n").body == []
