using Espalier.Configuration;

namespace Espalier.Experiments;

/// <summary>One way to train that an experiment tries.</summary>
/// <param name="Name">What tables and pictures call it.</param>
/// <param name="Overrides">What it sets in the experiment's recipe; its rates may be a list.</param>
public sealed record ExperimentArm(string Name, RecipeOverrides Overrides);

/// <summary>The arms of an experiment, each under its name.</summary>
/// <param name="Arms">In the order of the file.</param>
public sealed record ExperimentArms(IReadOnlyList<ExperimentArm> Arms) : IConfigValue<ExperimentArms>
{
    /// <inheritdoc/>
    public static string Expected => "write a name for each arm, and below it what it sets: 2 layers: {model.n_layer: 2}";

    /// <inheritdoc/>
    public static bool HasKeys => true;

    /// <inheritdoc/>
    public static ExperimentArms Parse(ConfigText text) => new(
    [
        .. text.Entries.Select(entry => new ExperimentArm(entry.Key, entry.Value.As<RecipeOverrides>())),
    ]);

    /// <inheritdoc/>
    public bool Equals(ExperimentArms? other) => other is not null && Arms.SequenceEqual(other.Arms);

    /// <inheritdoc/>
    public override int GetHashCode() => Arms.Count;

    /// <inheritdoc/>
    public override string ToString() =>
        $"{{{string.Join(", ", Arms.Select(arm => $"{ConfigValue.Format(arm.Name)}: {arm.Overrides}"))}}}";
}
