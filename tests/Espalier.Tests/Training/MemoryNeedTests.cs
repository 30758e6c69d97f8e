using System.Globalization;
using System.Runtime.InteropServices;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Cli;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>
/// The formulas of memory against the most that a process holds while it trains. Each case is a process of its own: what thousands of other
/// tests leave in the heap would be counted with it.
/// </summary>
[Trait("Kind", "Slow")]
public partial class MemoryNeedTests
{
    private const int Vocabulary = 512;
    private static readonly AdamW Optimizer = new(new AdamWConfig());

    /// <summary>Of every family a deep model of short sequences and one whose attention weights are the most of it.</summary>
    public static TheoryData<string, bool, bool, bool> Models()
    {
        var models = new TheoryData<string, bool, bool, bool>();
        foreach (string family in (string[])["gpt2", "bert", "llama", "qwen3"])
        {
            foreach (bool isLong in (bool[])[false, true])
            {
                models.Add(family, isLong, false, false);
                models.Add(family, isLong, true, false);
                models.Add(family, isLong, false, true);
                models.Add(family, isLong, true, true);
            }
        }

        return models;
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void AStepHoldsAsMuchAsTheFormulasSay(string family, bool isLong, bool bf16, bool recompute)
    {
        (int code, string said) = ProgramProcess.End(ProgramProcess.Start(
            [ProgramProcess.DotNet, typeof(MemoryNeedTests).Assembly.Location, family, $"{isLong}", $"{bf16}", $"{recompute}"]));
        Assert.True(code == 0, said);
        double[] bytes = [.. said.Split().Where(word => word.Length > 0).Select(word => double.Parse(word, CultureInfo.InvariantCulture))];
        (double held, double need) = (bytes[0], bytes[1]);
        Assert.True(held / need is > 0.75 and < 1.25, string.Create(CultureInfo.InvariantCulture, $"{held / need:F3} of {need / 1e6:F0} MB"));
    }

    /// <summary>Trains the model of a case in this process; prints the bytes that it held and those that the formulas say.</summary>
    private static void Main(string[] args)
    {
        (string family, bool isLong, bool bf16, bool recompute) = (args[0], bool.Parse(args[1]), bool.Parse(args[2]), bool.Parse(args[3]));
        (int layers, int hidden, int length, int sequences) = isLong ? (16, 256, 512, 4) : (24, 256, 128, 8);
        ModelConfig config = Of(family, layers, hidden, length);
        var need = MemoryNeed.Of(config, Optimizer, layers, sequences, bf16, recompute);

        // Libraries load their parts at their first use.
        Train(Of(family, 1, 16, 8), sequences: 1, bf16, recompute, afterTheFirst: () => { });

        // So little is left of a model whose layers are recomputed that holes in glibc's heap, some 150 MB here, would hide it: each tensor
        // has pages of its own.
        SetHeap(MmapThreshold, recompute ? 1 << 16 : UsualThreshold);
        long before = Status("VmRSS");

        // The most so far is forgotten: the first step makes what later ones use again.
        Train(config, sequences, bf16, recompute, afterTheFirst: () => File.WriteAllText("/proc/self/clear_refs", "5"));
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Status("VmHWM") - before} {need.Total:F0}"));
    }

    private static void Train(ModelConfig config, int sequences, bool bf16, bool recompute, Action afterTheFirst)
    {
        using TrainingState state = TrainingState.Begin(config, config.Layers, Optimizer, 1, Device.Cpu);
        var step = new TrainingStep(Optimizer, 1, new Compute(Device.Cpu, bf16), recompute: recompute);
        step.Run(state, 1, _ => ForwardPlan.Plain(config.Layers), (_, _) => Batch(sequences, config.ContextLength), _ => 1, 1e-4);
        afterTheFirst();
        step.Run(state, 1, _ => ForwardPlan.Plain(config.Layers), (_, _) => Batch(sequences, config.ContextLength), _ => 1, 1e-4);
    }

    private static ModelBatch Batch(int sequences, int length) => new(
        Sample.Indices(1, Vocabulary, sequences, length), Sample.Indices(2, Vocabulary, sequences, length));

    private static long Status(string key)
    {
        string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith(key, StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(':')[1].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }

    // M_MMAP_THRESHOLD, and what libtorch's bridge sets it to.
    private const int MmapThreshold = -3, UsualThreshold = 1 << 30;

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int SetHeap(int parameter, int value);

    private static ModelConfig Of(string family, int layers, int hidden, int length) => family switch
    {
        "gpt2" => new Gpt2Config { Layers = layers, HiddenSize = hidden, Heads = 4, ContextLength = length, VocabularySize = Vocabulary },
        "bert" => new BertConfig { Layers = layers, HiddenSize = hidden, Heads = 4, ContextLength = length, VocabularySize = Vocabulary },
        "llama" => new LlamaConfig
        {
            Layers = layers, HiddenSize = hidden, Heads = 4, KeyValueHeads = 2, FfnSize = hidden * 8 / 3, ContextLength = length,
            VocabularySize = Vocabulary,
        },
        _ => new Qwen3Config
        {
            Layers = layers, HiddenSize = hidden, Heads = 4, KeyValueHeads = 2, HeadDim = hidden / 2, FfnSize = hidden * 3,
            ContextLength = length, VocabularySize = Vocabulary,
        },
    };
}
