using System.Globalization;
using System.IO.Hashing;
using Espalier.Distributed;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>What the ranks of a run must have in common.</summary>
internal static class RankAgreement
{
    /// <summary>Makes sure that the micro-batches of an update can be dealt out evenly.</summary>
    /// <exception cref="UserErrorException">They cannot.</exception>
    public static void RequireShares(Recipe recipe, Ranks ranks)
    {
        if (Uneven(recipe, ranks.Size) is UserErrorException error)
        {
            throw ranks.Agreed(error);
        }
    }

    /// <summary>Why so many ranks cannot share the micro-batches of an update; null where they can.</summary>
    public static UserErrorException? Uneven(Recipe recipe, int ranks)
    {
        int microBatches = recipe.Training.GradientAccumulation, sequences = microBatches * recipe.Training.MicroBatch;
        return microBatches % ranks == 0 ? null : new UserErrorException(
            $"training.gradient_accumulation is {microBatches}: {ranks} ranks cannot share {microBatches} micro-batches evenly.",
            sequences % ranks == 0
                ? $"The same {sequences} sequences an update are gradient_accumulation: {ranks} and micro_batch: {sequences / ranks}, " +
                    "or other factors; or start another number of ranks."
                : $"Start a number of ranks that divides {microBatches}, or choose a batch of a multiple of {ranks} sequences.");
    }

    /// <summary>Makes sure that all train by the same recipe, on the same data, from the same step, by the same build.</summary>
    /// <exception cref="UserErrorException">Something differs, which is named.</exception>
    public static void OnRun(Ranks ranks, Recipe recipe, string data, Compute compute, RunMachine machine, long step)
    {
        if (ranks.Size == 1)
        {
            return;
        }

        var facts = RecipeDifference.Values(recipe);

        // Each host may keep its data elsewhere: what it holds is what counts.
        facts.Remove("data.path");
        facts["the data's fingerprint"] = data;
        facts["the run's step"] = step.ToString(CultureInfo.InvariantCulture);
        facts["device"] = compute.Device.Type.ToString();
        facts["NCCL"] = ProcessGroup.HasNccl ? "yes" : "no";
        facts["precision"] = machine.Precision;
        facts["vector instructions"] = machine.Instructions;
        facts["libtorch"] = machine.Libtorch.Version;
        facts["BLAS"] = machine.Blas.Config;
        facts["Espalier"] = $"{machine.Espalier} {typeof(RankAgreement).Module.ModuleVersionId}";
        ranks.RequireSame(facts);
    }

    /// <summary>Why ranks on GPUs will be slower than they could be; null where nothing is known.</summary>
    public static string? Slowness(Ranks ranks, Device device) => ranks.Size == 1 || device.Type != DeviceType.Cuda || ProcessGroup.HasNccl ? null
        : "this build has no NCCL, so that gradients travel through host memory: install the headers of NCCL and CUDA (Debian: libnccl-dev, nvidia-cuda-dev), delete build/native and build again";

    /// <summary>Makes sure that all have the same weights.</summary>
    /// <exception cref="UserErrorException">They have not.</exception>
    public static void OnWeights(Ranks ranks, ParameterSet parameters)
    {
        if (ranks.Size == 1)
        {
            return;
        }

        var hash = new XxHash3();
        byte[] bytes = [];
        foreach (Parameter parameter in parameters)
        {
            int length = checked((int)parameter.Value.ByteLength);
            bytes = bytes.Length >= length ? bytes : new byte[length];
            parameter.Value.CopyBytesTo(bytes.AsSpan(0, length));
            hash.Append(bytes.AsSpan(0, length));
        }

        ranks.RequireSame("the weights", hash.GetCurrentHashAsUInt64());
    }
}
