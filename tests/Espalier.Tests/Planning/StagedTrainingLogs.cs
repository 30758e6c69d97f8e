using System.Text.Json.Nodes;
using Espalier.Reporting;

namespace Espalier.Tests.Planning;

/// <summary>
/// Held-out losses that the authors of Staged Training (arXiv 2203.06211) logged, to three decimals and no further than their
/// figures need: GPT-2 of 12 layers x 768 (base) and 24 x 1536 (large), and each with half the layers or half the width.
/// </summary>
internal static class StagedTrainingLogs
{
    private static readonly JsonNode File =
        JsonNode.Parse(System.IO.File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "golden", "staged-training-losses.json")))!;

    /// <summary>A curve, in multiples of what a step of the model with this share of all parameters costs.</summary>
    public static TrainingCurve Curve(string name, double share = 1) =>
        new(name, Steps(name).Select(point => new CurvePoint(point.Step, point.Loss, share * point.Step)));

    /// <summary>Steps and losses.</summary>
    public static IEnumerable<(int Step, double Loss)> Steps(string name)
    {
        int step = (int)File["first_step"]!;
        foreach (JsonNode? loss in File[name]!.AsArray())
        {
            if (loss is not null)
            {
                yield return (step, (int)loss / 1000.0);
            }

            step += (int)File["every"]!;
        }
    }
}
