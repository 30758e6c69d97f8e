using System.Globalization;

namespace Espalier.Configuration;

/// <summary>What a <see cref="Duration"/> counts.</summary>
public enum DurationUnit
{
    /// <summary>Optimizer steps (updates).</summary>
    Steps,

    /// <summary>Per cent of the whole run.</summary>
    Percent,

    /// <summary>Training tokens, over all micro-batches and ranks.</summary>
    Tokens,
}

/// <summary>
/// A length of training, or a position in it, in the unit the user thinks in: `2000 steps`, `5 %`, `1.5e9 tokens`.
/// The unit is never left out: a bare number would mean something else in every tool.
/// </summary>
/// <param name="Value">How many: whole and not negative for steps and tokens, 0 to 100 for per cent.</param>
/// <param name="Unit">Of what.</param>
public readonly record struct Duration(double Value, DurationUnit Unit) : IConfigValue<Duration>
{
    private const string Forms = "write a number and its unit: `2000 steps`, `5 %` or `1.5e9 tokens`";

    // Doubles hold every whole number up to here.
    private const double MaximumCount = 1L << 53;

    /// <inheritdoc/>
    public static string Expected => Forms;

    /// <summary>That many optimizer steps.</summary>
    public static Duration Steps(long count) => new(count, DurationUnit.Steps);

    /// <summary>That many per cent of the whole run.</summary>
    public static Duration Percent(double percent) => new(percent, DurationUnit.Percent);

    /// <summary>That many training tokens.</summary>
    public static Duration Tokens(long count) => new(count, DurationUnit.Tokens);

    /// <summary>The duration in optimizer steps, rounded to the nearest (halves up).</summary>
    /// <param name="totalSteps">Steps of the whole run: what per cent refer to.</param>
    /// <param name="tokensPerStep">Tokens of one step, over all micro-batches and ranks; at least 1.</param>
    public long ToSteps(long totalSteps, long tokensPerStep)
    {
        double steps = Unit switch
        {
            DurationUnit.Steps => Value,
            DurationUnit.Percent => Value * totalSteps / 100,
            _ => Value / tokensPerStep,
        };
        return Math.Max(0, (long)Math.Round(steps, MidpointRounding.AwayFromZero));
    }

    /// <summary>Reads the YAML form.</summary>
    /// <exception cref="UserErrorException">The text is not a duration; the message says why, the hint how to write one.</exception>
    public static Duration Parse(string text) =>
        TryParse(text, out Duration duration, out string? problem)
            ? duration
            : throw new UserErrorException($"`{text}` is not a duration: {problem}.", Forms);

    /// <inheritdoc/>
    public static Duration Parse(ConfigText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text.Text, out Duration duration, out string? problem)
            ? duration
            : throw new BadValueException($"`{text.Text}` is not a duration: {problem}", Forms);
    }

    /// <summary>Reads the YAML form.</summary>
    /// <param name="text">For example `5 %`.</param>
    /// <param name="duration">The duration, when the text is one.</param>
    /// <param name="problem">What is wrong with the text otherwise.</param>
    public static bool TryParse(string text, out Duration duration, out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        duration = default;
        string trimmed = text.Trim();
        int numberEnd = trimmed.EndsWith('%') ? trimmed.Length - 1 : trimmed.LastIndexOf(' ') + 1;
        string unitName = trimmed[numberEnd..];
        bool isNumber = double.TryParse(
            trimmed[..numberEnd], NumberStyles.Float, CultureInfo.InvariantCulture, out double value);
        if (!isNumber || !double.IsFinite(value))
        {
            problem = double.TryParse(trimmed, NumberStyles.Float, CultureInfo.InvariantCulture, out _)
                ? "its unit is missing (steps, % or tokens)"
                : "it does not read `NUMBER UNIT`, the unit being steps, % or tokens";
            return false;
        }

        DurationUnit? unit = unitName switch
        {
            "step" or "steps" => DurationUnit.Steps,
            "%" => DurationUnit.Percent,
            "token" or "tokens" => DurationUnit.Tokens,
            _ => null,
        };
        problem = unit switch
        {
            null => $"the unit `{unitName}` does not exist (there are steps, % and tokens)",
            _ when value < 0 => "it is negative",
            DurationUnit.Percent when value > 100 => "it is longer than the whole run",
            DurationUnit.Steps or DurationUnit.Tokens when value != Math.Floor(value) => "it is not a whole number",
            DurationUnit.Steps or DurationUnit.Tokens when value > MaximumCount => "it is too large",
            _ => null,
        };
        if (problem is not null)
        {
            return false;
        }

        duration = new Duration(value, unit!.Value);
        return true;
    }

    /// <summary>The YAML form, which <see cref="Parse(string)"/> reads back to the same value.</summary>
    public override string ToString() => Unit switch
    {
        DurationUnit.Steps => $"{((long)Value).ToString(CultureInfo.InvariantCulture)} steps",
        DurationUnit.Percent => $"{Value.ToString(CultureInfo.InvariantCulture)} %",
        _ => $"{((long)Value).ToString(CultureInfo.InvariantCulture)} tokens",
    };
}
