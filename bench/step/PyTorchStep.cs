using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Torch;

namespace Espalier.Bench.Step;

/// <summary>PyTorch's side: a python3 process that trains the same model on command, line by line.</summary>
internal sealed class PyTorchStep : IDisposable
{
    private readonly Process _process;

    public PyTorchStep(string python, StepSetting setting, StepOptions options)
    {
        string[] arguments =
        [
            Path.Combine(AppContext.BaseDirectory, "step_pytorch.py"),
            "--layers", Text(setting.Layers), "--width", Text(setting.HiddenSize), "--heads", Text(setting.Heads),
            "--context", Text(setting.ContextLength), "--batch", Text(setting.Batch),
            "--vocabulary", Text(setting.Vocabulary), "--threads", Text(Engine.Threads),
            "--device", options.Device.ToString(), "--precision", options.Precision,
        ];
        var start = new ProcessStartInfo(python, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        // As Espalier sets it for itself.
        start.Environment.TryAdd("GOMP_SPINCOUNT", "10000");
        _process = Process.Start(start)!;
        Description = Answer();
    }

    /// <summary>Versions, BLAS, settings and environment, as the process gives them.</summary>
    public JsonNode Description { get; }

    /// <summary>The interpreter to use: the one asked for, or the first that has PyTorch; null where none has.</summary>
    public static string? FindPython(string? asked) => asked switch
    {
        "none" => null,
        null => new[] { "python3", "/usr/bin/python3" }.FirstOrDefault(HasTorch),
        _ => HasTorch(asked) ? asked : throw new UserErrorException(
            $"{asked} has no PyTorch.", "Name a python3 that can import torch, or use --python none."),
    };

    public StepTime Run(int steps)
    {
        _process.StandardInput.WriteLine(string.Create(CultureInfo.InvariantCulture, $"run {steps}"));
        _process.StandardInput.Flush();
        JsonNode answer = Answer();
        return new StepTime(answer["seconds"]!.GetValue<double>() / steps, answer["loss"]!.GetValue<double>());
    }

    public void Dispose()
    {
        // The end of its input ends it.
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private JsonNode Answer()
    {
        string line = _process.StandardOutput.ReadLine() ?? throw new UserErrorException(
            "PyTorch's side has ended; what it said stands above.", "--python none measures Espalier alone.");
        JsonNode answer = JsonNode.Parse(line)!;
        return answer["error"] is JsonNode error ? throw new UserErrorException($"PyTorch's side: {error}") : answer;
    }

    private static bool HasTorch(string python)
    {
        const string Finds = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)";
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(python, ["-c", Finds])
            {
                RedirectStandardError = true,
            })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
