using System.Globalization;
using Espalier.Reporting;

namespace Espalier.Tests.Reporting;

/// <summary>Run folders with metrics in closed form.</summary>
internal static class SyntheticRun
{
    public const string Header =
        "step,tokens,train_loss,valid_loss,learning_rate,gradient_norm,executed_depth,stored_layers,tokens_per_second," +
        "flops_per_second,flops_layers,flops_attention,flops_head,seconds";

    /// <summary>
    /// Writes a run of <paramref name="steps"/> steps, a row every 10 and an evaluation every 100. A step costs 80 + 10
    /// FLOPs and 10 more in the head, each times <paramref name="costPerStep"/>, and half a second times it.
    /// </summary>
    public static RunMetrics Write(
        string folder, string name, int steps, Func<double, double> loss, double costPerStep = 1, string recipe = "")
    {
        Directory.CreateDirectory(folder);
        var lines = new List<string> { Header };
        for (int step = 10; step <= steps; step += 10)
        {
            double cost = step * costPerStep;
            string valid = step % 100 == 0 ? Text(loss(step) + 1) : "";
            lines.Add(string.Join(',', Text(step), Text(step * 64), Text(loss(step)), valid, "0.001", "0.5",
                Text(step <= steps / 2 ? 6 : 12), step <= steps / 2 ? "6" : "12", "100", "1e9",
                Text(80 * cost), Text(10 * cost), Text(10 * cost), Text(0.5 * cost)));
        }

        File.WriteAllText(Path.Combine(folder, "metrics.csv"), string.Join('\n', lines) + "\n");
        File.WriteAllText(Path.Combine(folder, "recipe.yaml"), $"name: '{name}'\nseed: 42\n{recipe}");
        return RunMetrics.Load(folder);
    }

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
