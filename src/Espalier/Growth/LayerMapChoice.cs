using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>A rule that lets fewer stored layers serve as more. METHODS: Apollo, interpolation against stacking.</summary>
public enum LayerMapKind
{
    /// <summary>Neighbours repeat: 3 as 6 is 0,0,1,1,2,2. Keeps the distribution of activations (Apollo).</summary>
    Interpolate,

    /// <summary>The whole repeats, aligned at the top: 3 as 6 is 0,1,2,0,1,2 (StackBERT).</summary>
    Stack,
}

/// <summary>How stored layers are shared by executed ones: by a rule, or by a list of one's own.</summary>
public sealed class LayerMapChoice : IEquatable<LayerMapChoice>, IConfigValue<LayerMapChoice>
{
    private LayerMapChoice(LayerMapKind? kind, int[]? custom)
    {
        Kind = kind;
        Custom = custom;
    }

    /// <summary>By <see cref="LayerMapKind.Interpolate"/>.</summary>
    public static LayerMapChoice Interpolate { get; } = new(LayerMapKind.Interpolate, null);

    /// <summary>By <see cref="LayerMapKind.Stack"/>.</summary>
    public static LayerMapChoice Stack { get; } = new(LayerMapKind.Stack, null);

    /// <summary>The rule, or null when <see cref="Custom"/> is set.</summary>
    public LayerMapKind? Kind { get; }

    /// <summary>The stored layer, counted from 0, of each layer of the full depth; or null when it follows a rule.</summary>
    public IReadOnlyList<int>? Custom { get; }

    /// <summary>By a list: executed layer i uses stored layer `layers[i]`.</summary>
    public static LayerMapChoice Of(IEnumerable<int> layers) => new(null, [.. layers]);

    /// <summary>By a rule.</summary>
    public static LayerMapChoice Of(LayerMapKind kind) => kind == LayerMapKind.Stack ? Stack : Interpolate;

    /// <inheritdoc/>
    public static string Expected => "write interpolate, stack, or a list of stored layers";

    /// <inheritdoc/>
    public static LayerMapChoice Parse(ConfigText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.IsList ? Of(text.As<int[]>()) : Of(text.As<LayerMapKind>(orElse: " or a list of layers"));
    }

    /// <inheritdoc/>
    public bool Equals(LayerMapChoice? other) =>
        other is not null
        && Kind == other.Kind
        && (Custom ?? []).SequenceEqual(other.Custom ?? []);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as LayerMapChoice);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kind, Custom?.Count ?? 0);

    /// <summary>The YAML form.</summary>
    public override string ToString() =>
        Custom is null ? (Kind == LayerMapKind.Stack ? "stack" : "interpolate") : $"[{string.Join(", ", Custom)}]";
}
