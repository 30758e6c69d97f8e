using Espalier.Models;

namespace Espalier.Growth;

/// <summary>A growth operator under its name.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Grows">Which sizes it grows.</param>
/// <param name="Source">The paper that it is from.</param>
/// <param name="Make">The operator that grows one model towards the sizes of another, as far as it can.</param>
public sealed record OperatorEntry(
    string Name, GrownSizes Grows, string Source, Func<ModelConfig, ModelConfig, GrowthSettings, GrowthOperator> Make)
{
    /// <summary>An operator that takes no settings.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="grows">Which sizes it grows.</param>
    /// <param name="source">The paper that it is from.</param>
    /// <param name="make">The operator that grows one model towards the sizes of another, as far as it can.</param>
    public OperatorEntry(string name, GrownSizes grows, string source, Func<ModelConfig, ModelConfig, GrowthOperator> make)
        : this(name, grows, source, (model, to, _) => make(model, to))
    {
    }

    /// <summary>The settings that it takes, by the names of their options.</summary>
    public IReadOnlyList<string> Takes { get; init; } = [];

    /// <inheritdoc cref="Reach(ModelConfig, ModelConfig, GrowthSettings)"/>
    public GrowthOperator Reach(ModelConfig model, ModelConfig to) => Reach(model, to, new GrowthSettings());

    /// <summary>The operator that makes a model of one size one of another.</summary>
    /// <param name="model">The model to grow.</param>
    /// <param name="to">The sizes that it is to have, such as <see cref="GrowthTarget.Parse"/> gives them.</param>
    /// <param name="settings">What else is said of the growth.</param>
    /// <exception cref="UserErrorException">The operator does not reach these sizes, or does not take a setting.</exception>
    public GrowthOperator Reach(ModelConfig model, ModelConfig to, GrowthSettings settings)
    {
        if (settings.Given.Except(Takes).FirstOrDefault() is string untaken)
        {
            string taking = string.Join(", ", GrowthOperators.All.Where(entry => entry.Takes.Contains(untaken)).Select(entry => entry.Name));
            throw new UserErrorException($"{Name} takes no {untaken}.", $"Leave it out, or take one that does: {taking}.");
        }

        GrowthOperator growth;
        ModelConfig reached;
        try
        {
            growth = Make(model, to, settings);
            reached = growth.Grow(model);
        }
        catch (ArgumentException exception)
        {
            throw new UserErrorException($"{Name} does not reach these sizes: {exception.Message}.", Others(model, to), exception);
        }

        IEnumerable<string> missed = GrowthSize.Of(model)
            .Where(size => size.In(reached) != size.In(to))
            .Select(size => $"{size.Key}={size.In(reached)}, not {size.In(to)}");
        string misses = string.Join("; ", missed);
        return misses.Length == 0
            ? growth
            : throw new UserErrorException($"{Name} makes of this model {misses}.", Others(model, to));
    }

    /// <summary>How far the operator promises to leave what a model computes as it was, where it doubles all that it grows.</summary>
    /// <param name="model">The model.</param>
    /// <exception cref="UserErrorException">The operator cannot double it.</exception>
    public Kept Keeps(ModelConfig model) => Make(model, Doubled(model), new GrowthSettings()).Promise(model).Loss;

    /// <summary>A model with twice of all that the operator grows.</summary>
    internal ModelConfig Doubled(ModelConfig model)
    {
        ModelConfig deeper = Grows.HasFlag(GrownSizes.Depth) ? model with { Layers = 2 * model.Layers } : model;
        return Grows.HasFlag(GrownSizes.Width)
            ? deeper.WithWidth(2 * model.HiddenSize, 2 * model.Heads, 2 * model.FfnSize)
            : Grows.HasFlag(GrownSizes.FeedForward) ? deeper with { FfnSize = 2 * model.FfnWidth } : deeper;
    }

    private static string Others(ModelConfig model, ModelConfig to)
    {
        string others = string.Join(", ", GrowthOperators.All.Where(entry => entry.Reaches(model, to)).Select(entry => entry.Name));
        return others.Length > 0
            ? $"What reaches these sizes: {others}."
            : "No operator reaches them in one step: grow one size after the other, or ask for others.";
    }

    private bool Reaches(ModelConfig model, ModelConfig to)
    {
        try
        {
            ModelConfig reached = Make(model, to, new GrowthSettings()).Grow(model);
            return GrowthSize.Of(model).All(size => size.In(reached) == size.In(to));
        }
        catch (Exception exception) when (exception is ArgumentException or UserErrorException)
        {
            return false;
        }
    }
}
