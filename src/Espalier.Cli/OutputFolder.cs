using System.CommandLine;
using System.Globalization;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>--out</c> of the verbs that write a model: a new folder, or an empty one.</summary>
internal sealed class OutputFolder : Option<string>
{
    private const string What = "The model";

    public OutputFolder()
        : base("--out")
    {
        Description = "The folder to write: a new one, or an empty one.";
        HelpName = "DIR";
        Required = true;
    }

    /// <summary>The folder that a command line names, before any work is done for it.</summary>
    /// <exception cref="UserErrorException">There is something in its place, or it cannot be written.</exception>
    public string Of(ParseResult parsed)
    {
        string folder = parsed.GetValue(this)!;
        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            throw new UserErrorException(
                $"{folder} is not empty: it is left as it is.", "Name a new folder, or delete this one first.");
        }

        AtomicFolder.Try(folder, What);
        return folder;
    }

    /// <summary>Writes a folder of a model, completely or not at all.</summary>
    /// <inheritdoc cref="AtomicFolder.Write(string, Action{string}, bool, string, string)" path="/param"/>
    public static void Write(string folder, Action<string> fill) =>
        AtomicFolder.Write(folder, fill, replace: false, What);

    /// <summary>Writes a model made of another, and says so.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="source">Whose tokenizer and extra tensors go with it.</param>
    /// <param name="model">The model as it is to be stored.</param>
    /// <param name="type">What weights are rounded to.</param>
    /// <exception cref="UserErrorException">A weight is not finite or too large, or a file cannot be written.</exception>
    public static void Write(string folder, LoadedModel source, Model model, SafetensorsDType type)
    {
        (_, ModelConfig config, ParameterSet parameters) = model;
        Tokenizer tokenizer = source.Tokenizer;
        IReadOnlyDictionary<string, Tensor> extras = ModelFolder.ReadExtras(source.Path, source.Config, Device.Cpu);
        foreach ((string name, Tensor value) in
            parameters.Select(parameter => (parameter.Name, parameter.Value)).Concat(extras.Select(extra => (extra.Key, extra.Value))))
        {
            RequireFinite(source.Path, name, value);
        }

        Write(folder, partial => ModelFolder.Write(partial, config, parameters, tokenizer, extras, type));
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{folder}: {config.Layers} layers, {parameters.ElementCount:N0} parameters in {type.Name().ToLowerInvariant()}, " +
            $"a tokenizer of {tokenizer.VocabularySize:N0} tokens."));
    }

    private static void RequireFinite(string path, string name, Tensor value)
    {
        const int Piece = 1 << 24;
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
