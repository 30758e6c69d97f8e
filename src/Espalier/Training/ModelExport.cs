using System.Globalization;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>Writes models that were made of others, each as a Hugging Face folder of its own.</summary>
public static class ModelExport
{
    internal const string What = "The model";

    /// <summary>Makes sure, before any work is done for it, that a folder can be a model's: a new one, or an empty one.</summary>
    /// <exception cref="UserErrorException">There is something in its place, or it cannot be written.</exception>
    public static void RequireNew(string folder)
    {
        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            throw new UserErrorException(
                $"{folder} is not empty: it is left as it is.", "Name a new folder, or delete this one first.");
        }

        AtomicFolder.Try(folder, What);
    }

    /// <summary>Writes a model made of another, completely or not at all.</summary>
    /// <param name="folder">Where to: a new folder, or an empty one.</param>
    /// <param name="source">Whose tokenizer goes with it, and whose extra tensors, if they fit.</param>
    /// <param name="model">The model as it is to be stored, such as <see cref="LoadedModel.AtDepth"/> gives it.</param>
    /// <param name="type">What weights are rounded to.</param>
    /// <exception cref="UserErrorException">A weight is not finite or too large, or a file cannot be written.</exception>
    public static void Write(
        string folder, LoadedModel source, Model model, SafetensorsDType type = SafetensorsDType.F32)
    {
        IReadOnlyDictionary<string, Tensor> extras = FitsExtras(source.Config, model.Config)
            ? ModelFolder.ReadExtras(source.Path, source.Config, Device.Cpu)
            : new Dictionary<string, Tensor>();
        try
        {
            foreach ((string name, Tensor value) in model.Parameters.Select(parameter => (parameter.Name, parameter.Value))
                .Concat(extras.Select(extra => (extra.Key, extra.Value))))
            {
                RequireFinite(source.Path, name, value);
            }

            AtomicFolder.Write(
                folder,
                partial => ModelFolder.Write(partial, model.Config, model.Parameters, source.Tokenizer, extras, type),
                replace: false, What);
        }
        finally
        {
            foreach (Tensor extra in extras.Values)
            {
                extra.Dispose();
            }
        }
    }

    /// <summary>Writes a model as it was read, in single precision and under today's names.</summary>
    /// <param name="folder">Where to: a new folder, or an empty one.</param>
    /// <param name="source">The model.</param>
    /// <returns>The stored tensors that were left out, which Espalier has no use for.</returns>
    /// <exception cref="UserErrorException">The model still grows, a weight is not finite, or a file cannot be written.</exception>
    public static IReadOnlyList<string> Copy(string folder, LoadedModel source)
    {
        if (source.FullDepth.Depth != source.Config.Layers)
        {
            throw new UserErrorException(
                $"{source.Path} is a checkpoint of a model that still grows: a copy would not say to what depth.",
                $"Every verb takes it as it is; espalier export {source.Path} --depth {source.FullDepth.Depth} writes all layers.");
        }

        Write(folder, source, source.Model);
        return ModelFolder.UnusedTensors(source.Path, source.Config);
    }

    /// <summary>Whether a model's extra tensors fit one that was made of it: they are as wide as the model.</summary>
    internal static bool FitsExtras(ModelConfig source, ModelConfig made) => source.HiddenSize == made.HiddenSize;

    /// <summary>Makes sure that a tensor holds numbers.</summary>
    /// <exception cref="UserErrorException">It holds NaN or infinities.</exception>
    internal static void RequireFinite(string path, string name, Tensor value)
    {
        const int Piece = 1 << 24;
        using (new TensorScope())
        using (new NoGrad())
        {
            // One of them makes the sum such too; numbers that are merely large are looked at one by one.
            if (double.IsFinite(value.Sum().Item()))
            {
                return;
            }
        }

        long count = value.Count, broken = 0;
        for (long begin = 0; begin < count; begin += Piece)
        {
            using var scope = new TensorScope();
            foreach (float number in value.Reshape(-1).Narrow(0, begin, Math.Min(Piece, count - begin)).ToArray<float>())
            {
                broken += float.IsFinite(number) ? 0 : 1;
            }
        }

        if (broken > 0)
        {
            throw new UserErrorException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{path}: '{name}' has {broken:N0} numbers of {count:N0} that are NaN or infinite."),
                "The weights are damaged, or their training diverged: copy them again, or take an earlier checkpoint.");
        }
    }
}
