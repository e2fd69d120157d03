"""Word lists of the reward."""

from __future__ import annotations

__all__ = [
    "ABBREVIATIONS",
    "ADJECTIVES",
    "COLOURS",
    "CONTRACTED",
    "FUNCTION_WORDS",
    "MEASURES",
    "STUB_OTHERS",
    "WORDS_OF_THEIR_OWN",
]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COLOURS = _words("""
alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown
burgundy camel camo caramel champagne charcoal cheetah chestnut chocolate christmas coffee
cognac copper coral cranberry cream crystal dark denim eggplant elephant espresso fuchsia
gold granite grape graphite grass gray green grey heather indigo ivory ivy khaki lavender
lemon leopard light lilac lime magenta maroon mauve merlot midnight mint mocha multicolor
mushroom mustard natural navy nude olive orange peach pewter pink plum purple rainbow red
rose royal rust sand sapphire seashell silver skull slate steel stone stonewash sunflower
tan taupe teal tiger turquoise violet walnut wheat white wine yellow
""")
"""What the original takes for colours, in the order in which it looks for them."""

STUB_OTHERS = frozenset(
    _words("""
for with and of the a an in on to by from or & is it
""")
)
"""Words of letters that the ``stub`` tagger takes for no nouns."""

FUNCTION_WORDS = frozenset(
    _words("""
a an and any are as at be been being both but by can could do does each every few for from
had has have he her here him his how i if in into is it its just may me might more most much
must my no nor not of off on once only or other our out over own per she should so some such
than that the their them then there these they this those through to too under until up us
very via was we were what when where which while who why will with within without would you
your
""")
)
"""Words that are never nouns."""

MEASURES = frozenset(
    _words("""
one two three four five six seven eight nine ten first second third cm mm ml oz lb lbs kg ft
in inch inches
""")
)
"""Numbers and units."""

ADJECTIVES = frozenset(
    _words("""
adult big black blue bright brown casual clean clear cold cool cute dark dry easy extra fast
fine fit flat free fresh full funny gold gray great green grey hard heavy high hot large
light long loose low mini modern natural new nice old orange organic perfect pink plus
portable premium pure purple quick red rich round royal safe short silver simple slim small
smart soft solid square strong sweet tall thick thin tight tiny universal vintage warm
waterproof white wide wireless wooden yellow young
""")
)
"""The commonest adjectives of product titles."""

ABBREVIATIONS = frozenset(
    _words("""
Adm. Ak. Ala. Apr. Ariz. Ark. Aug. Bros. C++ Calif. Co. Colo. Conn. Corp. D.C. Dec. Del. Dr.
E.G. E.g. Feb. Fla. Ga. Gen. Gov. I.E. I.e. Ia. Id. Ill. Inc. Ind. Jan. Jr. Jul. Jun. Kan.
Kans. Ky. La. Ltd. Mar. Mass. Md. Messrs. Mich. Minn. Miss. Mo. Mont. Mr. Mrs. Ms. Mt. N.C.
N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. Ph.D. Prof. Rep. Rev. S.C.
Sen. Sep. Sept. St. Tenn. Va. Wash. Wis. a.m. and/or co. e.g. i.e. p.m. v.s. vs. w/o 8D 8-D
:D :O :P :X :o :p :x :-D :-O :-P :-X :-o :-p :-x =D ;D ;-D ma'am Ma'am o'clock O'clock doin'
Doin' goin' Goin' havin' Havin' lovin' Lovin' nothin' Nothin' nuthin' Nuthin' ol' Ol'
somethin' Somethin' 'em 'cause 'Cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout 'nuff 'll 're 'd
""")
)
"""Texts that spaCy's English keeps whole: abbreviations, clipped words, smileys."""

WORDS_OF_THEIR_OWN = frozenset(
    _words("""
hed id ill hell shell shed well wed were its lets whos wholl whod whore whove
""")
)
"""What a contraction without its apostrophe is not read as."""

_D = _words("""
he how i it she that there these they this those we what when where who why you
""")
_RE = _words("""
how there these they those we what when where who why you
""")
_S = _words("""
he how it let she that there this what when where who why
""")
_VE = _words("""
could how i might must not should there these they those we what when where who why would
you
""")
_NOT = _words("""
ai are ca could dare did does do had has have is may might must need ought sha should was
were wo would
""")
_NOT_HAVE = _words("""
ca could did does do had may might must need ought sha should wo would
""")
CONTRACTED = {
    ("'d",): _D, ("'d", "'ve"): _D, ("'ll",): _D, ("'ll", "'ve"): _D, ("'re",): _RE, ("'s",): _S,
    ("'ve",): _VE, ("n't",): _NOT, ("n't", "'ve"): _NOT_HAVE, ("'m",): ("i",),
    ("'m", "a"): ("i",), ("all",): ("y'",),
}  # fmt: skip
"""Tails of contractions, and who takes them."""
