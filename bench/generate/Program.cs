// Tokens a second of generated text: with keys and values kept, against a pass over the whole context for every token.
// --toy: whether it runs; what it measures means nothing.
using System.Diagnostics;
using Espalier.Bench;
using Espalier.Generation;
using Espalier.Models;
using Espalier.Torch;

bool isToy = args is ["--toy"];
if (args.Length > 0 && !isToy)
{
    Console.Error.WriteLine("error: the only option is --toy");
    return 1;
}

(int context, int start, int rounds) = isToy ? (32, 24, 1) : (512, 384, 5);
int generated = context - start;
int[] prompt = [.. Enumerable.Range(0, start).Select(i => i * 31 % 257)];

Console.WriteLine(FormattableString.Invariant(
    $"""
    {Processor.Name}, {Engine.Threads} threads, libtorch {Engine.TorchVersion}. {generated} tokens after a prompt of {start}, up to the context of {context}.
    "Kept" counts reading the prompt and lowering the weights; "read again" is a pass over all tokens, and the scores of each, at every eighth of those contexts.
    The ratio is the median (least to most) of {rounds} pairs in turn.

    | model | precision | kept, tokens/s | read again, tokens/s | ratio |
    |---|---|--:|--:|--:|
    """));
(string, ModelConfig)[] models =
[
    ("GPT-2, 12 layers of 128", Gpt2(128, 4, 257)), ("Llama, 12 layers of 128", Llama(128, 4, 2, 257)),
    ("GPT-2, 12 layers of 768", Gpt2(768, 12, 8192)), ("Llama, 12 layers of 768", Llama(768, 12, 4, 8192)),
];
foreach ((string name, ModelConfig config) in models.Take(isToy ? 2 : models.Length))
{
    IArchitecture architecture = config.Architecture;
    using var model = Model.Of(config, ParameterSet.Initialize(architecture.Parameters(config), config, config.Layers, 1, Device.Cpu));
    foreach (bool bf16 in (bool[])[false, true])
    {
        var compute = new Compute(Device.Cpu, bf16);
        List<double> kept = [], again = [];
        for (int round = 0; round <= rounds; round++)
        {
            double one = Seconds(() => Kept(model, compute)) / generated, other = ReadAgain(model, compute);
            if (round > 0)
            {
                kept.Add(one);
                again.Add(other);
            }

            Progress.Say($"{name}, {(bf16 ? "bf16" : "f32")}: round {round} of {rounds}");
        }

        Progress.Clear();
        Console.WriteLine(FormattableString.Invariant(
            $"| {name} | {(bf16 ? "bf16" : "f32")} | {1 / Statistics.Median(kept):F0} | {1 / Statistics.Median(again):F1} | {Spread.OfRatios(again, kept)} |"));
    }
}

return 0;

void Kept(Model model, Compute compute)
{
    foreach (int _ in new TextGenerator(model, ForwardPlan.Plain(model.Config.Layers), compute).Continue(prompt, new TokenSampler(0), 1).Take(generated))
    {
    }
}

// A token by a pass over everything before it.
double ReadAgain(Model model, Compute compute)
{
    int[] lengths = [.. Enumerable.Range(0, 8).Select(i => start + (generated * i / 8))];
    return Seconds(() =>
    {
        foreach (int length in lengths)
        {
            using var noGrad = new NoGrad();
            using var scope = new TensorScope();
            using Autocast? autocast = compute.LowerProducts();
            long[] ids = [.. Enumerable.Range(0, length).Select(i => (long)prompt[i % start])];
            Tensor logits = ForwardPass.Logits(model, Tensor.From<long>(ids, [1, length]), ForwardPlan.Plain(model.Config.Layers));
            logits.Narrow(1, length - 1, 1).To(ScalarType.Float32, Device.Cpu).ToArray<float>();
        }
    }) / lengths.Length;
}

static double Seconds(Action action)
{
    long start = Stopwatch.GetTimestamp();
    action();
    return Stopwatch.GetElapsedTime(start).TotalSeconds;
}

ModelConfig Gpt2(int width, int heads, int vocabulary) => new Gpt2Config
{
    Layers = 12, HiddenSize = width, Heads = heads, ContextLength = context, VocabularySize = vocabulary,
};

ModelConfig Llama(int width, int heads, int groups, int vocabulary) => new LlamaConfig
{
    Layers = 12, HiddenSize = width, Heads = heads, KeyValueHeads = groups, FfnSize = width * 8 / 3, ContextLength = context,
    VocabularySize = vocabulary,
};
