using System.Globalization;
using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>
/// When a growth is due: at a point of the run, `25 %`; or when the training loss says so, and at a point of the run at the latest,
/// `slope -0.0575 or 50 %`, for a run must reach its final model.
/// </summary>
/// <param name="Latest">The point, or the latest one.</param>
/// <param name="Loss">What the loss must do for it to be due before; null for nothing.</param>
public sealed record GrowthTrigger(Duration Latest, LossRule? Loss = null) : IConfigValue<GrowthTrigger>
{
    private const string Or = " or ";

    /// <inheritdoc/>
    public static string Expected =>
        "write a point of the run, `5 %`, `2000 steps` or `1.5e9 tokens`, or what the loss does with the latest point, `slope -0.0575 or 50 %` or `plateau 0.002 or 50 %`";

    /// <summary>A growth at a point of the run.</summary>
    public static implicit operator GrowthTrigger(Duration point) => new(point);

    /// <inheritdoc/>
    public static GrowthTrigger Parse(ConfigText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string written = text.Text.Trim();
        if (Kind(written) is not LossRuleKind kind)
        {
            return Duration.TryParse(written, out Duration point, out string? problem)
                ? new GrowthTrigger(point)
                : throw new BadValueException($"`{written}` is not a point of the run: {problem}", Expected);
        }

        string[] parts = written.Split(Or, 2, StringSplitOptions.TrimEntries);
        string number = parts[0][(parts[0].IndexOf(' ', StringComparison.Ordinal) + 1)..];
        if (!double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double threshold))
        {
            throw new BadValueException($"`{written}`: `{number}` is not a number", Expected);
        }

        if (kind == LossRuleKind.Slope ? threshold is not (< 0 and > -10) : threshold is not (> 0 and < 1))
        {
            throw kind == LossRuleKind.Slope
                ? new BadValueException(
                    $"`{written}` is never reached: the slope of a loss that falls is less than 0", "the authors' thresholds are -0.0575 for depth, -0.0475 for width and -0.03 for both")
                : new BadValueException(
                    $"`{written}` is no share that the loss falls by", "give a number between 0 and 1, such as 0.002");
        }

        return parts.Length < 2
            ? throw new BadValueException(
                $"`{written}` may never come, and the run would end with a smaller model", $"add the latest point: `{written}{Or}50 %`")
            : Duration.TryParse(parts[1], out Duration latest, out string? wrong)
                ? new GrowthTrigger(latest, new LossRule(kind, threshold))
                : throw new BadValueException($"`{parts[1]}` is not a point of the run: {wrong}", Expected);
    }

    /// <summary>The YAML form.</summary>
    public override string ToString() => Loss is LossRule rule ? $"{rule}{Or}{Latest}" : Latest.ToString();

    private static LossRuleKind? Kind(string text) =>
        text.StartsWith("slope ", StringComparison.Ordinal) ? LossRuleKind.Slope
        : text.StartsWith("plateau ", StringComparison.Ordinal) ? LossRuleKind.Plateau
        : null;
}
