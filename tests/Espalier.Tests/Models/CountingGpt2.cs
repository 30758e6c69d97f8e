using Espalier.Data;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Models;

/// <summary>GPT-2 that counts the live tensors when a layer begins and when it ends.</summary>
internal sealed class CountingGpt2(bool idle = false) : IArchitecture
{
    private readonly Gpt2 _gpt2 = new();

    public bool NormsComeFirst => _gpt2.NormsComeFirst;

    public List<long> Before { get; } = [];

    public List<long> After { get; } = [];

    public Tensor Layer(ModelPart layer, Tensor x_BTC, Tensor? lengths_B)
    {
        Before.Add(Tensor.LiveCount);
        Tensor made = idle ? x_BTC : _gpt2.Layer(layer, x_BTC, lengths_B);
        After.Add(Tensor.LiveCount);
        return made;
    }

    public IObjective Objective(Tokenizer tokenizer) => _gpt2.Objective(tokenizer);

    public IReadOnlyList<ParameterSpec> Parameters(ModelConfig config) => _gpt2.Parameters(config);

    public Tensor Embed(ModelPart rest, ModelInput input) => _gpt2.Embed(rest, input);

    public Tensor Finish(ModelPart rest, Tensor x_BTC) => _gpt2.Finish(rest, x_BTC);

    public Tensor Logits(ModelPart rest, Tensor hidden) => _gpt2.Logits(rest, hidden);

    public Tensor LossSum(ModelPart rest, Tensor hidden_NC, Tensor targets_N) => _gpt2.LossSum(rest, hidden_NC, targets_N);

    public FlopsCount LayerCost(ModelConfig config, int sequences, int length) => _gpt2.LayerCost(config, sequences, length);

    public FlopsCount HeadCost(ModelConfig config, double predictions) => _gpt2.HeadCost(config, predictions);
}
