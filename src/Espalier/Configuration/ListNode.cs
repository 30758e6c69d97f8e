namespace Espalier.Configuration;

/// <summary>`[a, b]` or a list of dashes.</summary>
internal sealed record ListNode(Place Place, IReadOnlyList<ConfigNode> Items) : ConfigNode(Place);
