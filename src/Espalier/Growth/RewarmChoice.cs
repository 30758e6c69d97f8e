using System.Globalization;
using System.Text.RegularExpressions;
using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>
/// What the learning rate does after each growth, as recipes say it: `150 steps`, on a straight line from 0 to the schedule's;
/// `250 steps from 1 to 1.3 of new`, from one share of it to another, for what has been added alone.
/// </summary>
/// <param name="Length">How long it takes; 0 for nothing.</param>
/// <param name="From">Where the line begins, as a share of the schedule's rate.</param>
/// <param name="To">Where it ends, and stays.</param>
/// <param name="Scope">What it is for.</param>
public sealed partial record RewarmChoice(Duration Length, double From = 0, double To = 1, RewarmScope Scope = RewarmScope.All)
    : IConfigValue<RewarmChoice>
{
    /// <inheritdoc/>
    public static string Expected => "write a duration, `150 steps`, and where the rate goes if not from 0 to 1 of all: `250 steps from 1 to 1.3 of new`";

    /// <summary>Nothing.</summary>
    public static RewarmChoice None { get; } = new(Duration.Steps(0));

    /// <summary>From 0 to the schedule's rate.</summary>
    public static implicit operator RewarmChoice(Duration length) => new(length);

    /// <summary>The same for a run; null for nothing.</summary>
    public Rewarm? In(RunShape run)
    {
        long steps = run.Steps(Length);
        return steps > 0 ? new Rewarm(steps, From, To, Scope) : null;
    }

    /// <inheritdoc/>
    public static RewarmChoice Parse(ConfigText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Match form = Form().Match(text.Text.Trim());
        if (!form.Success || !Duration.TryParse(form.Groups["length"].Value, out Duration length, out string? problem))
        {
            _ = Duration.TryParse(text.Text, out _, out problem);
            throw new BadValueException($"`{text.Text}` is no rise of the learning rate: {problem}", Expected);
        }

        RewarmScope scope = form.Groups["scope"].Value == "new" ? RewarmScope.New : RewarmScope.All;
        return new RewarmChoice(length, Share("from", 0), Share("to", 1), scope);

        double Share(string name, double otherwise) => !form.Groups[name].Success ? otherwise
            : double.TryParse(form.Groups[name].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double share) && share is >= 0 and <= 100
            ? share
            : throw new BadValueException($"`{form.Groups[name].Value}` is no share of the learning rate", "give a number from 0 to 100");
    }

    /// <summary>The YAML form.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Length}{(From == 0 ? "" : $" from {From}")}{(To == 1 ? "" : $" to {To}")}{(Scope == RewarmScope.New ? " of new" : "")}");

    [GeneratedRegex(@"^(?<length>.+?)( from (?<from>\S+))?( to (?<to>\S+))?( of (?<scope>all|new))?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Form();
}
