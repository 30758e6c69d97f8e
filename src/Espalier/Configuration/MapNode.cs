namespace Espalier.Configuration;

/// <summary>A section: keys and their values.</summary>
internal sealed record MapNode(Place Place, List<MapEntry> Entries) : ConfigNode(Place);

/// <summary>One `key: value` of a section, at the key's place.</summary>
internal sealed record MapEntry(string Key, Place Place, ConfigNode Value);
