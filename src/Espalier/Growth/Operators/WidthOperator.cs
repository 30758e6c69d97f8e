using System.Numerics;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Growth to a given hidden size, number of heads and feed-forward width. Heads keep their size, so that hidden size and heads
/// grow together; what is not given stays, but for the heads, which then follow the hidden size.
/// </summary>
public abstract record WidthOperator : GrowthOperator
{
    /// <summary>`hidden_size`: the hidden size to grow to; null to leave it.</summary>
    public int? HiddenSize { get; init; }

    /// <summary>`heads`: the attention heads to grow to; null for as many as the hidden size has room for.</summary>
    public int? Heads { get; init; }

    /// <summary>`ffn_size`: the feed-forward width to grow to; null to leave it.</summary>
    public int? FfnSize { get; init; }

    /// <summary>The same, to the width of a model.</summary>
    internal WidthOperator To(ModelConfig model) =>
        this with { HiddenSize = model.HiddenSize, Heads = model.Heads, FfnSize = model.FfnWidth };

    /// <summary>What checkpoints call the operator.</summary>
    protected abstract string Name { get; }

    /// <summary>What checkpoints record besides sizes and moments: each a key and its value.</summary>
    protected virtual IEnumerable<string> Settings => [];

    /// <inheritdoc/>
    /// <exception cref="UserErrorException">The model cannot grow to these sizes; the message names the key.</exception>
    public override ModelConfig Grow(ModelConfig model)
    {
        int hidden = HiddenSize ?? model.HiddenSize, ffn = FfnSize ?? model.FfnWidth;
        NotLess("hidden_size", hidden, model.HiddenSize);
        NotLess("heads", Heads ?? model.Heads, model.Heads);
        NotLess("ffn_size", ffn, model.FfnWidth);
        int step = model.HiddenSize / (int)BigInteger.GreatestCommonDivisor(model.HiddenSize, model.HeadGroups);
        if (hidden % step != 0)
        {
            int below = hidden / step * step;
            string why = step == model.HeadSize
                ? $"the size of a head, {step}"
                : $"{step}: heads, those of keys and values too (`num_key_value_heads`), grow in its ratio";
            throw new UserErrorException(
                $"`hidden_size` {hidden} is not a multiple of {why}.",
                $"Heads keep their size: give {below} or {below + step}.");
        }

        int heads = (int)((long)model.Heads * hidden / model.HiddenSize);
        if (Heads is int given && given != heads)
        {
            string wrong = hidden % given == 0 && hidden / given != model.HeadSize
                ? $"of `hidden_size` {hidden} are of size {hidden / given}" : $"do not divide `hidden_size` {hidden}";
            throw new UserErrorException(
                $"`heads` {given} {wrong}; heads keep their size, {model.HeadSize}.",
                $"Give `heads` {heads}, or leave it out.");
        }

        ModelConfig grown = model.WithWidth(hidden, heads, model.FfnSize is null && ffn == 4 * hidden ? null : ffn);
        Check(model, grown);
        return grown;
    }

    /// <inheritdoc/>
    public sealed override string ToString()
    {
        string[] sizes =
        [
            .. new (string Key, int? Size)[] { ("hidden_size", HiddenSize), ("heads", Heads), ("ffn_size", FfnSize) }
                .Where(size => size.Size is not null).Select(size => $"{size.Key} {size.Size}"),
        ];
        return $"{Name} {string.Join(", ", [.. sizes, .. Settings, $"moments {ConfigKeys.Kebab(Moments)}"])}";
    }

    /// <summary>Refuses sizes that the operator has no way to. By default none.</summary>
    /// <param name="model">The model to grow.</param>
    /// <param name="grown">What it would become; nowhere smaller.</param>
    /// <exception cref="UserErrorException">It refuses; the message names the key.</exception>
    protected virtual void Check(ModelConfig model, ModelConfig grown)
    {
    }

    /// <summary>Where the units of a grown axis come from.</summary>
    /// <param name="kind">The kind of units.</param>
    /// <param name="before">How many there are.</param>
    /// <param name="after">How many there will be; more.</param>
    protected abstract AxisMap Units(AxisKind kind, int before, int after);

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, ModelConfig model) =>
        Units(kind, model.UnitsOf(kind), Grow(model).UnitsOf(kind));

    /// <summary>The kinds whose number changes.</summary>
    private protected IEnumerable<AxisKind> Growing(ModelConfig model)
    {
        ModelConfig grown = Grow(model);
        return new[] { AxisKind.Hidden, AxisKind.Heads, AxisKind.Ffn }.Where(kind => model.UnitsOf(kind) != grown.UnitsOf(kind));
    }

    /// <summary>Refuses a size that is less than the model's.</summary>
    private protected static void NotLess(string key, int after, int before)
    {
        if (after < before)
        {
            throw new UserErrorException(
                $"`{key}` {after} is less than the model's {before}.", $"Growth takes nothing away: give at least {before}.");
        }
    }
}
