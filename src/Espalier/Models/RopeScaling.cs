using System.Globalization;
using Espalier.Configuration;

namespace Espalier.Models;

/// <summary>The rule by which rotary frequencies are scaled for contexts longer than those that they were chosen for.</summary>
public enum RopeType
{
    /// <summary>Not at all.</summary>
    Default,

    /// <summary>All frequencies are divided by one factor.</summary>
    Linear,

    /// <summary>Low frequencies are divided, high ones stay, and those between are mixed (Llama 3.1).</summary>
    Llama3,
}

/// <summary>
/// How rotary frequencies are scaled: in a recipe `default`, `linear FACTOR`, or `llama3 FACTOR LOW HIGH CONTEXT`, as
/// `llama3 8 1 4 8192`.
/// </summary>
/// <param name="Type">The rule.</param>
/// <param name="Factor">What frequencies are divided by.</param>
/// <param name="LowFrequency">llama3: a wave that fits no more often than this into the original context is divided wholly.</param>
/// <param name="HighFrequency">llama3: one that fits at least as often as this stays.</param>
/// <param name="OriginalContext">llama3: the tokens of the original context.</param>
public sealed record RopeScaling(
    RopeType Type, double Factor = 1, double LowFrequency = 1, double HighFrequency = 4, int OriginalContext = 8192)
    : IConfigValue<RopeScaling>
{
    /// <summary>No scaling.</summary>
    public static RopeScaling None { get; } = new(RopeType.Default);

    /// <inheritdoc/>
    public static string Expected => "write default, `linear 4`, or `llama3 8 1 4 8192`: factor, low and high frequency, original context";

    /// <inheritdoc/>
    public static RopeScaling Parse(ConfigText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] words = text.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        double[] numbers = new double[Math.Max(0, words.Length - 1)];
        for (int i = 0; i < numbers.Length; i++)
        {
            if (!double.TryParse(words[i + 1], CultureInfo.InvariantCulture, out numbers[i]) || !(numbers[i] > 0) || !double.IsFinite(numbers[i]))
            {
                throw new BadValueException($"is {text.Text}", Expected);
            }
        }

        return (words.FirstOrDefault(), numbers) switch
        {
            ("default", []) => None,
            ("linear", [var factor]) => new RopeScaling(RopeType.Linear, factor),
            ("llama3", [var factor, var low, var high, var context]) when high > low && context <= 1 << 24 && context == Math.Floor(context) =>
                new RopeScaling(RopeType.Llama3, factor, low, high, (int)context),
            _ => throw new BadValueException($"is {text.Text}", Expected),
        };
    }

    /// <summary>The YAML form.</summary>
    public override string ToString() => Type switch
    {
        RopeType.Linear => string.Create(CultureInfo.InvariantCulture, $"linear {Factor}"),
        RopeType.Llama3 => string.Create(
            CultureInfo.InvariantCulture, $"llama3 {Factor} {LowFrequency} {HighFrequency} {OriginalContext}"),
        _ => "default",
    };

    /// <summary>Radians a position, for each pair of elements of a head.</summary>
    /// <param name="theta">The base of the frequencies.</param>
    /// <param name="headSize">d.</param>
    internal float[] Frequencies(double theta, int headSize) =>
        [.. Enumerable.Range(0, headSize / 2).Select(pair => (float)Scaled(Math.Pow(theta, -2.0 * pair / headSize)))];

    private double Scaled(double frequency)
    {
        double turns = OriginalContext * frequency / (2 * Math.PI);
        double stays = Type switch
        {
            RopeType.Linear => 0,
            RopeType.Llama3 => Math.Clamp((turns - LowFrequency) / (HighFrequency - LowFrequency), 0, 1),
            _ => 1,
        };
        return ((1 - stays) * frequency / Factor) + (stays * frequency);
    }
}
