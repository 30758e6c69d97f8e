using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Bench.Step;

/// <summary>Prints results as they come, and writes them down with all that a reader needs to repeat them.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    public static int Write(StepOptions options, IEnumerable<IResult> results, string? json, string? markdown)
    {
        Machine machine = Machine.Here(options.Device);
        var text = new StringBuilder();
        Print(Header(machine));
        var done = new JsonArray();
        foreach (IResult result in results)
        {
            Print(result.ToMarkdown());
            done.Add(JsonSerializer.SerializeToNode<object>(result, Json));
            if (result is ComparisonResult { PyTorchDescription: JsonNode description } && done.Count == 1)
            {
                Print(Terms(description));
            }
        }

        if (json is not null)
        {
            var all = new JsonObject
            {
                ["date"] = Now(),
                ["command"] = CommandLine(),
                ["machine"] = JsonSerializer.SerializeToNode(machine, Json),
                ["results"] = done,
            };
            File.WriteAllText(json, all.ToJsonString(Json) + "\n");
        }

        if (markdown is not null)
        {
            File.WriteAllText(markdown, text.ToString().TrimEnd() + "\n");
        }

        return 0;

        void Print(string part)
        {
            Progress.Clear();
            Console.Out.WriteLine(part);
            text.AppendLine(part);
        }
    }

    private static string Header(Machine machine) =>
        $"""
        # Training step, {Now()}

            {CommandLine()}

        {machine.ToMarkdown()}

        A setting is (layers, width, heads, context, batch, vocabulary). A step is forward, backward, clipping and AdamW on random tokens. FLOPs: forward and backward of linear layers, attention over the whole square, and head.

        """;

    /// <summary>What is alike on both sides, and what each does for itself.</summary>
    private static string Terms(JsonNode pyTorch) =>
        $"""
        ## Terms

        - Alike: threads, processor, priority and environment of the processes, libgomp's GOMP_SPINCOUNT; both are warmed up and take turns.
        - Espalier tunes itself: AVX-512 loops where the processor has them, freed memory kept by the allocator, the OpenBLAS whose threads are OpenMP's.
        - PyTorch is tuned the same way by step_pytorch.py: {string.Join(", ", pyTorch["environment"]!.AsObject().Select(pair => $"{pair.Key}={pair.Value}"))}; BLAS {pyTorch["blas"]}; attention {pyTorch["attention"]}; PyTorch {pyTorch["torch"]}, Python {pyTorch["python"]}{(pyTorch["device_name"] is JsonNode gpu ? $", {gpu}" : "")}.

        """;

    private static string CommandLine() =>
        "bench/step/run " + string.Join(' ', Environment.GetCommandLineArgs().Skip(1));

    private static string Now() =>
        DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
}
