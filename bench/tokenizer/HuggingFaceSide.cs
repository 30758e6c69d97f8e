using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Espalier.Bench.Tokenizers;

/// <summary>Hugging Face's side: a node process that encodes the same texts on command, line by line.</summary>
internal sealed class HuggingFaceSide : ISide
{
    private readonly Process _process;

    public HuggingFaceSide(string folder, string vocabulary, int threads)
    {
        string script = Path.Combine(AppContext.BaseDirectory, "hugging-face.mjs");
        var start = new ProcessStartInfo("node", ["--expose-gc", script, folder, vocabulary])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["TOKENIZERS_PARALLELISM"] = threads > 1 ? "true" : "false";
        start.Environment["RAYON_NUM_THREADS"] = threads.ToString(CultureInfo.InvariantCulture);
        _process = Process.Start(start)!;
        JsonNode versions = Answer();
        Versions = $"Hugging Face tokenizers {versions["library"]} (npm), node {versions["node"]}";
    }

    public string Versions { get; }

    public void Load(string textFile) => Ask($"load {textFile}");

    public void Forget() => Ask("fresh");

    public double Run() => Ask("run")["seconds"]!.GetValue<double>();

    public IdSum Ids()
    {
        JsonNode answer = Ask("ids");
        return new IdSum(answer["tokens"]!.GetValue<long>(), answer["hash"]!.GetValue<uint>());
    }

    public void Dispose()
    {
        // The end of its input ends it.
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private JsonNode Ask(string command)
    {
        _process.StandardInput.WriteLine(command);
        _process.StandardInput.Flush();
        return Answer();
    }

    private JsonNode Answer() => JsonNode.Parse(
        _process.StandardOutput.ReadLine()
        ?? throw new UserErrorException("Hugging Face's side has ended; what it said stands above."))!;
}
