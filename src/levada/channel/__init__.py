"""The channels of an Experience API: mobile, partner, agent."""

from levada.channel.kinds import Agent, Channel, Mobile, Partner

__all__ = ["Agent", "Channel", "Mobile", "Partner"]
