"""The rules in CEL that definitions of custom resources carry, which JSON Schema knows nothing of."""

from urllib.parse import urlsplit

import cel

# Kubernetes' own functions, as far as the rules of our manifests call them.
FUNCTIONS = {
    "isURL": lambda text: bool(urlsplit(text).scheme),
    "url": lambda text: text,
    "getScheme": lambda text: urlsplit(text).scheme,
}


def broken(schema: dict, value, path: str = "$") -> list[str]:
    """What the rules say against a value; a rule that cannot be evaluated here counts as broken."""
    found = []
    for rule in schema.get("x-kubernetes-validations", []):
        if "oldSelf" in rule["rule"]:
            continue  # about a change, and nothing is changed here
        try:
            context = cel.Context(variables={"self": value}, functions=FUNCTIONS)
            holds = cel.evaluate(rule["rule"], context)
        except Exception as error:  # whatever the evaluator raises
            holds = error
        if holds is not True:
            found.append(f"{path}: {rule.get('message') or rule['rule']} ({holds!r})")
    if isinstance(value, dict):
        for name, one in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if isinstance(inner, dict):
                found += broken(inner, one, f"{path}.{name}")
    elif isinstance(value, list) and "items" in schema:
        for index, one in enumerate(value):
            found += broken(schema["items"], one, f"{path}[{index}]")
    return found
