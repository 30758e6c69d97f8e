using System.Globalization;
using Espalier.Configuration;

namespace Espalier.Planning;

/// <summary>
/// The loss of a model by its size and its updates, batches being as large as pays: L(N, S) = (Nc/N)^aN + (2 Sc/S)^aS, and the batch
/// B* / L^(1/aB) in tokens; N counts the parameters of the layers (Kaplan et al., arXiv 2001.08361, equations 1.6, 5.3 and 5.5).
/// </summary>
internal sealed record ScalingLaw
{
    /// <summary>`nc`: Nc.</summary>
    public double SizeScale { get; init; } = 8.8e13;

    /// <summary>`an`: aN.</summary>
    public double SizePower { get; init; } = 0.076;

    /// <summary>`sc`: Sc.</summary>
    public double StepScale { get; init; } = 2.1e3;

    /// <summary>`as`: aS.</summary>
    public double StepPower { get; init; } = 0.76;

    /// <summary>`b`: B*.</summary>
    public double BatchScale { get; init; } = 2.1e8;

    /// <summary>`ab`: aB.</summary>
    public double BatchPower { get; init; } = 0.21;

    private static readonly (string Key, Func<ScalingLaw, double, ScalingLaw> Set)[] Keys =
    [
        ("nc", (law, value) => law with { SizeScale = value }),
        ("an", (law, value) => law with { SizePower = value }),
        ("sc", (law, value) => law with { StepScale = value }),
        ("as", (law, value) => law with { StepPower = value }),
        ("b", (law, value) => law with { BatchScale = value }),
        ("ab", (law, value) => law with { BatchPower = value }),
    ];

    /// <summary>The published law with other constants.</summary>
    /// <param name="constants">`nc=8.8e13,an=0.076`; null or empty for none.</param>
    /// <exception cref="UserErrorException">A key is unknown, or a value is not positive.</exception>
    public static ScalingLaw Parse(string? constants)
    {
        var law = new ScalingLaw();
        foreach (string setting in (constants ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = setting.Split('=', 2, StringSplitOptions.TrimEntries);
            int index = Array.FindIndex(Keys, key => key.Key == parts[0]);
            if (index < 0)
            {
                throw new UserErrorException(
                    $"--constants: the scaling law has no constant '{parts[0]}'.",
                    $"It has {string.Join(", ", Keys.Select(key => key.Key))}; did you mean {NearestName.Of(parts[0], Keys.Select(key => key.Key))}?");
            }

            if (parts.Length < 2 || !double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                || !double.IsFinite(value) || value <= 0)
            {
                throw new UserErrorException($"--constants: '{setting}' gives no positive number.", "Write it like nc=8.8e13.");
            }

            law = Keys[index].Set(law, value);
        }

        return law;
    }

    /// <summary>L of an endless run.</summary>
    public double Floor(double size) => Math.Pow(SizeScale / size, SizePower);

    /// <summary>L(N, S).</summary>
    public double Loss(double size, double steps) => Floor(size) + Math.Pow(2 * StepScale / steps, StepPower);

    /// <summary>S: the updates after which a model has a loss; infinite where it never has.</summary>
    public double Steps(double size, double loss)
    {
        double above = loss - Floor(size);
        return above > 0 ? 2 * StepScale / Math.Pow(above, 1 / StepPower) : double.PositiveInfinity;
    }

    /// <summary>B, in tokens: the batch beyond which more of it no longer saves updates in proportion.</summary>
    public double Batch(double loss) => BatchScale / Math.Pow(loss, 1 / BatchPower);

    /// <summary>C = 6 N B S of a run that ends at a loss.</summary>
    public double Flops(double size, double loss) => 6 * size * Batch(loss) * Steps(size, loss);

    /// <summary>
    /// The loss at which d log L / d log C has a value, whatever the size makes of the floor: with g = -d log L / d log S, which is
    /// aS (L - floor) / L, the slope is -g / (1 + g/aB).
    /// </summary>
    /// <param name="size">N.</param>
    /// <param name="slope">Negative, above -aB and such that g is below aS.</param>
    public double LossAtSlope(double size, double slope)
    {
        double g = -slope / (1 + (slope / BatchPower));
        return Floor(size) * StepPower / (StepPower - g);
    }

    /// <summary>The least loss that a model of a size can have for so many FLOPs; null where it cannot even begin.</summary>
    public double? LossForBudget(double size, double flops)
    {
        (double low, double high) = (Floor(size), Floor(size) * 1e3);
        if (Flops(size, high) > flops)
        {
            return null;
        }

        for (int i = 0; i < 200; i++)
        {
            double middle = (low + high) / 2;
            (low, high) = Flops(size, middle) > flops ? (middle, high) : (low, middle);
        }

        return high;
    }

    /// <summary>
    /// The size that reaches a loss for the least FLOPs: where S's share of the loss is to the floor as aN to aS, from setting the
    /// derivative of N S(N) at that loss to 0.
    /// </summary>
    public double BestSize(double loss) => SizeScale / Math.Pow(loss / (1 + (SizePower / StepPower)), 1 / SizePower);
}
