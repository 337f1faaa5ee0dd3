"""Every verb with arguments that it takes, for tests that go over all of them."""

from docs import generate

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "new": ("shop",),
    "run": (),
    "up": (),
    "describe": (),
    "contract diff": ("--write",),
    "client": ("openapi.json",),
    "adopt": ("openapi.json",),
    "db status": (),
    "db migrate": (),
    "db backup": ("copy.db",),
    "db restore": ("monday.db", "--why", "w"),
    "db restored": ("--why", "w"),
    "db purge": (),
    "events tail": (),
    "events subscriptions": (),
    "events parked": (),
    "events resume": ("p-1",),
    "events skip": ("p-1", "--why", "w"),
    "events pause": ("s", "--why", "w"),
    "events continue": ("s",),
    "events replay": ("s", "--why", "w"),
    "events explain": ("e-1",),
    "runs list": (),
    "runs show": ("r-1",),
    "runs resume": ("r-1",),
    "runs answer": ("r-1", "/0", "1", "--why", "w"),
    "runs skip": ("r-1", "--why", "w"),
    "runs compensate": ("r-1", "--why", "w"),
    "runs check": (),
    "keys create": ("--consumer", "acme", "--product", "club/Club/v1", "--plan", "gold"),
    "keys list": (),
    "keys rotate": ("k-1",),
    "keys revoke": ("k-1", "--why", "w"),
    "requests list": (),
    "requests approve": ("q-1",),
    "requests refuse": ("q-1", "--why", "w"),
    "subjects export": ("m-1", "--why", "w"),
    "subjects forget": ("m-1", "--why", "w"),
    "subjects rewrap": (),
    "gateway status": (),
    "gateway render": ("--out", "fleet"),
    "audit list": (),
    "audit verify": (),
    "doctor": (),
    "map": ("landscape",),
    "review": ("review.yaml", "--accept", "a"),
    "blueprint": ("landscape",),
    "plan": ("landscape",),
    "plan check": ("plan.json", "landscape"),
    "report": ("landscape",),
}


def texts() -> dict[str, str]:
    """The help of each verb and of each group of verbs, by its name."""
    return {path.stem.replace("-", " "): path.read_text() for path in generate.HELP.glob("*.txt")}


def helps() -> dict[str, str]:
    """The help of each verb that does something, by its name."""
    all_ = texts()
    groups = {name.split()[0] for name in all_ if " " in name} - {"plan"}  # by themselves they do nothing
    return {name: text for name, text in all_.items() if name not in groups}
