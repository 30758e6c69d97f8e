using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>A rule that lets fewer stored layers serve as more. Apollo (arXiv 2401.09192) compares the two.</summary>
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

    /// <summary>The stored layer of each executed one.</summary>
    /// <param name="stored">N.</param>
    /// <param name="executed">d, at least N.</param>
    /// <param name="final">L: the depth that a list of one's own is for; a shallower draw takes evenly spaced entries of it.</param>
    public int[] Build(int stored, int executed, int final) => Custom is { } custom
        ? [.. Enumerable.Range(0, executed).Select(i => custom[i * final / executed])]
        : LayerMap.Build(Kind!.Value, stored, executed);

    /// <summary>
    /// What is wrong with a list of one's own. It says how ONE number of stored layers makes up the full depth, so it goes
    /// with two stages.
    /// </summary>
    internal IEnumerable<ConfigProblem> Check(MethodSurroundings recipe, StagedDepthConfig method)
    {
        const string Key = "sharing_map";
        int[] stages = ((StagedDepthConfig)method.Resolve(recipe.Model)).Stages;
        int stored = stages[0];
        if (Custom is not { } map || !recipe.IsClean(Key) || !recipe.IsClean("stages"))
        {
            yield break;
        }

        int[] unused = [.. Enumerable.Range(0, Math.Max(0, stored)).Except(map)];
        if (stages.Length != 2)
        {
            yield return new ConfigProblem(
                Key, $"a list goes with two stages, and method.stages is {ConfigValue.Format(stages)}",
                "take two stages, or interpolate or stack");
        }
        else if (map.Count != recipe.Layers)
        {
            yield return new ConfigProblem(
                Key, $"lists {map.Count} layers", $"list one stored layer for each of the {recipe.Layers} executed");
        }
        else if (map.Any(layer => layer < 0 || layer >= stored))
        {
            yield return new ConfigProblem(
                Key, $"names layer {map.First(layer => layer < 0 || layer >= stored)} of {stored} stored",
                $"they are counted from 0 to {stored - 1}");
        }
        else if (unused.Length > 0)
        {
            yield return new ConfigProblem(
                Key, $"leaves stored layer {unused[0]} out, which would never train", "use every stored layer");
        }
    }

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
