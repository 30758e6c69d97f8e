using System.Reflection;
using System.Runtime.CompilerServices;

namespace Espalier.Configuration;

/// <summary>A key of a section and the config property behind it.</summary>
internal sealed record ConfigKey(string Name, PropertyInfo Property)
{
    /// <summary>Whether it says which variant its section is; then the record sets the property by itself.</summary>
    public bool IsDiscriminator { get; init; }

    /// <summary>Whether a section without it is wrong.</summary>
    public bool IsRequired { get; init; } = Property.IsDefined(typeof(RequiredMemberAttribute));

    /// <summary>Whether the property's type ends with a question mark: then the value may be left empty.</summary>
    public bool MayBeNull { get; } = new NullabilityInfoContext().Create(Property).WriteState == NullabilityState.Nullable;

    /// <summary>A section has keys of its own; all else is a value.</summary>
    public bool IsSection => ConfigKeys.IsSection(Property.PropertyType);
}
