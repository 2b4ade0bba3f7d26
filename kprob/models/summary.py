"""Summary."""


def print_summary(model, structure, print_fn) -> None:
    """Prints."""
    for site in structure.sites.values():
        print_fn(f"{site.name} {site.family} {site.plates} {site.event_shape}")
