namespace Espalier.Configuration;

/// <summary>One value; a plain one may mean null, a quoted one never does.</summary>
internal sealed record ScalarNode(Place Place, string Text, bool IsPlain) : ConfigNode(Place)
{
    public bool IsNull => IsPlain && Text is ("" or "~" or "null" or "Null" or "NULL");
}
